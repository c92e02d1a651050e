// oneTBB as a peer: an arena for a number of threads in all, of which the caller is one.
//
// Its worker threads are shared by the whole process. What starts a pool therefore limits their number, and what ends
// one waits until they have gone, so that the next pool is fresh.

#include <cstddef>
#include <new>
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace {
struct Pool {
    explicit Pool(int threads)
        : handle(tbb::attach{}), limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)),
          arena(threads, 1) {}
    tbb::task_scheduler_handle handle;
    tbb::global_control limit;
    tbb::task_arena arena;
};
} // namespace

extern "C" {

using Range = void (*)(const void *context, std::size_t begin, std::size_t end);
using Task = void (*)(const void *context);
using Script = void (*)(const void *context, tbb::task_group *group);

Pool *zp_tbb_start(int threads) { return new Pool(threads); }

void zp_tbb_end(Pool *pool) {
    tbb::task_scheduler_handle handle = std::move(pool->handle);
    delete pool;
    tbb::finalize(handle, std::nothrow);
}

void zp_tbb_for(Pool *pool, std::size_t tasks, Range run, const void *context) {
    pool->arena.execute([&] {
        tbb::parallel_for(tbb::blocked_range<std::size_t>(0, tasks), [&](const tbb::blocked_range<std::size_t> &range) {
            run(context, range.begin(), range.end());
        });
    });
}

// Calls `script` inside of the arena with a group; returns when all that it spawned there has ended.
void zp_tbb_scope(Pool *pool, Script script, const void *context) {
    pool->arena.execute([&] {
        tbb::task_group group;
        script(context, &group);
        group.wait();
    });
}

void zp_tbb_spawn(tbb::task_group *group, Task run, const void *context) {
    group->run([=] { run(context); });
}

void zp_tbb_enter(Pool *pool, Task run, const void *context) {
    pool->arena.execute([&] { run(context); });
}

void zp_tbb_join(Task a, const void *of_a, Task b, const void *of_b) {
    tbb::parallel_invoke([=] { a(of_a); }, [=] { b(of_b); });
}

} // extern "C"

#ifdef PROBE
int main() { return 0; }
#endif
