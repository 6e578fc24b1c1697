// Threads that wait for work, for loops that they share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace bec {

// Owned by who evaluates: starting threads for every layer of every step costs more than some layers.
// One loop at a time; a process that was forked starts threads of its own.
class ThreadPool {
public:
    explicit ThreadPool(int n_threads = 1);
    ~ThreadPool();
    ThreadPool(ThreadPool&&) noexcept;
    ThreadPool& operator=(ThreadPool&&) noexcept;

    int size() const { return n_threads_; }
    // Calls body(task, thread) for all tasks; rethrows the first failure after all threads have ended.
    void run(std::int64_t n_tasks, const std::function<void(std::int64_t task, int thread)>& body);

private:
    struct Team;
    int n_threads_;
    std::unique_ptr<Team> team_;

    void leave_behind_after_fork();
};

}  // namespace bec
