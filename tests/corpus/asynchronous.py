import asyncio
# %%
await asyncio.sleep(0.01)
print('slept')
# %%
async def double(x):
    await asyncio.sleep(0)
    return 2 * x
# %%
await asyncio.gather(*(double(x) for x in range(4)))
# %%
task = asyncio.create_task(double(21))
# %%
await task
# %%
try:
    asyncio.run(double(1))
except RuntimeError as error:
    print(error)
# %%
process = await asyncio.create_subprocess_exec('echo', 'hi', stdout=-1)
(await process.communicate())[0]
