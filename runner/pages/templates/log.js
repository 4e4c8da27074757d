(() => {
  const form = document.querySelector("form.filter");
  const lines = document.querySelectorAll(".log > div");
  const levels = { debug: 0, info: 1, warning: 2, error: 3, critical: 3 };
  const show = () => {
    const stage = form.elements.stage.value, level = Number(form.elements.level.value);
    for (const line of lines)
      line.hidden = (stage && line.dataset.stage !== stage) || (levels[line.className] ?? 1) < level;
  };
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
})();
