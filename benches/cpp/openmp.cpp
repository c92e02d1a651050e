// OpenMP as a peer: loops cut statically or guided, tasks, and nested tasks for joins.
//
// A team belongs to the host thread that opened it, so a fresh host thread has a fresh team. Loops hand each thread's own
// range to one call, which is what the compiler makes of a loop whose body it can inline.

#include <cstddef>
#include <omp.h>

extern "C" {

using Range = void (*)(const void *context, std::size_t begin, std::size_t end);
using Task = void (*)(const void *context);

void zp_omp_static(int threads, std::size_t tasks, Range run, const void *context) {
#pragma omp parallel num_threads(threads)
    {
        const std::size_t team = static_cast<std::size_t>(omp_get_num_threads());
        const std::size_t me = static_cast<std::size_t>(omp_get_thread_num());
        const std::size_t begin = tasks * me / team, end = tasks * (me + 1) / team;
        if (begin < end) run(context, begin, end);
    }
}

void zp_omp_guided(int threads, std::size_t tasks, Range run, const void *context) {
#pragma omp parallel for schedule(guided) num_threads(threads)
    for (std::size_t index = 0; index < tasks; index++) run(context, index, index + 1);
}

// Calls `script` on one thread of a team, whose others run the tasks that it makes; returns when all have ended.
void zp_omp_scope(int threads, Task script, const void *context) {
#pragma omp parallel num_threads(threads)
#pragma omp single
    script(context);
}

void zp_omp_task(Task run, const void *context) {
#pragma omp task firstprivate(run, context)
    run(context);
}

void zp_omp_join(Task a, const void *of_a, Task b, const void *of_b) {
#pragma omp task firstprivate(b, of_b)
    b(of_b);
    a(of_a);
#pragma omp taskwait
}

} // extern "C"

#ifdef PROBE
int main() { return omp_get_max_threads() > 0 ? 0 : 1; }
#endif
