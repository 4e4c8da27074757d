"""Orders of names: knows nothing of stages."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import graph

Needs = dict[str, set[str]]


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        ({}, ()),
        ({"b": set(), "a": set()}, ("b", "a")),
        ({"a": {"b"}, "b": set()}, ("b", "a")),
        ({"a": {"d"}, "b": set(), "c": set(), "d": set()}, ("b", "c", "d", "a")),
        ({"a": {"c"}, "b": set(), "c": {"b"}, "d": set()}, ("b", "c", "a", "d")),
    ],
)
def test_names_come_after_what_they_need_else_as_they_stand(
    needs: Needs, order: tuple[str, ...]
) -> None:
    assert graph.order(needs) == order


@pytest.mark.parametrize(
    ("needs", "paths"),
    [
        ({"a": {"a"}}, {"a a"}),
        ({"a": {"b"}, "b": {"a"}}, {"a b a", "b a b"}),
        ({"x": set(), "a": {"c", "x"}, "b": {"a"}, "c": {"b"}, "y": {"a"}}, {"a b c a"}),
    ],
)
def test_a_cycle_is_given_from_each_name_to_what_needs_it(needs: Needs, paths: set[str]) -> None:
    with pytest.raises(graph.Cycle) as caught:
        graph.order(needs)
    path = caught.value.path
    assert path[0] == path[-1]
    assert all(one in needs[other] for one, other in itertools.pairwise(path))
    assert {frozenset(path)} == {frozenset(one.split()) for one in paths}


acyclic = st.integers(0, 8).flatmap(
    lambda size: st.tuples(
        *(st.frozensets(st.sampled_from(range(n)) if n else st.nothing()) for n in range(size))
    )
)


@given(acyclic, st.randoms(use_true_random=False))
def test_every_order_holds_each_name_once_after_its_needs(
    needed: tuple[frozenset[int], ...], random: Random
) -> None:
    names = [f"n{number}" for number in range(len(needed))]
    needs = {names[n]: {names[one] for one in ones} for n, ones in enumerate(needed)}
    shuffled = dict(random.sample(sorted(needs.items()), len(needs)))
    order = graph.order(shuffled)
    assert sorted(order) == sorted(names)
    assert all(order.index(one) < order.index(name) for name in names for one in needs[name])
    for name in names:
        reached = graph.closure((name,), needs)
        assert {name} | {each for one in needs[name] for each in graph.closure((one,), needs)} == (
            reached
        )
        assert graph.readers(name, needs) == {
            other for other in names if other != name and name in graph.closure((other,), needs)
        }
