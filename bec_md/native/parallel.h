// A loop shared by several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace bec {

// Calls body(task, thread) for all tasks; rethrows the first failure after all threads have ended.
template <typename Body>
void parallel_for(std::int64_t n_tasks, int n_threads, Body&& body) {
    const std::int64_t workers = std::min<std::int64_t>(n_threads, n_tasks);
    if (workers <= 1) {
        for (std::int64_t task = 0; task < n_tasks; ++task) body(task, 0);
        return;
    }
    std::atomic<std::int64_t> next{0};
    std::exception_ptr failure;
    std::mutex guard;
    const auto work = [&](int thread) {
        try {
            for (std::int64_t task = next++; task < n_tasks; task = next++) body(task, thread);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(guard);
            if (!failure) failure = std::current_exception();
            next = n_tasks;
        }
    };
    std::vector<std::thread> threads;
    try {
        for (int thread = 1; thread < workers; ++thread) threads.emplace_back(work, thread);
    } catch (...) {
        // fewer threads than wished for: the others do all the work
    }
    work(0);
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace bec
