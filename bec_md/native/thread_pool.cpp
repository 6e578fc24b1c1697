#include "thread_pool.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace bec {

struct ThreadPool::Team {
    explicit Team(int n_threads) : owner(getpid()) {
        try {
            for (int thread = 1; thread < n_threads; ++thread)
                threads.emplace_back([this, thread] { serve(thread); });
        } catch (...) {
            // fewer threads than wished for: the others do all the work
        }
    }

    ~Team() {
        {
            const std::lock_guard<std::mutex> lock(guard);
            ended = true;
        }
        start.notify_all();
        for (std::thread& thread : threads) thread.join();
    }

    void run(std::int64_t tasks, const std::function<void(std::int64_t, int)>& work) {
        {
            const std::lock_guard<std::mutex> lock(guard);
            body = &work;
            n_tasks = tasks;
            next = 0;
            failure = nullptr;
            busy = threads.size();
            ++round;
        }
        start.notify_all();
        work_on(0);
        std::unique_lock<std::mutex> lock(guard);
        done.wait(lock, [this] { return busy == 0; });
        if (failure) std::rethrow_exception(failure);
    }

    const pid_t owner;

private:
    std::mutex guard;
    std::condition_variable start, done;
    std::vector<std::thread> threads;
    const std::function<void(std::int64_t, int)>* body = nullptr;
    std::int64_t n_tasks = 0;
    std::atomic<std::int64_t> next{0};
    std::size_t busy = 0;
    std::uint64_t round = 0;
    bool ended = false;
    std::exception_ptr failure;

    void serve(int thread) {
        std::uint64_t seen = 0;
        while (true) {
            {
                std::unique_lock<std::mutex> lock(guard);
                start.wait(lock, [&] { return ended || round != seen; });
                if (ended) return;
                seen = round;
            }
            work_on(thread);
            const std::lock_guard<std::mutex> lock(guard);
            if (--busy == 0) done.notify_one();
        }
    }

    void work_on(int thread) {
        try {
            for (std::int64_t task = next++; task < n_tasks; task = next++) (*body)(task, thread);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(guard);
            if (!failure) failure = std::current_exception();
            next = n_tasks;
        }
    }
};

ThreadPool::ThreadPool(int n_threads) : n_threads_(std::max(1, n_threads)) {}

ThreadPool::ThreadPool(ThreadPool&&) noexcept = default;

ThreadPool& ThreadPool::operator=(ThreadPool&&) noexcept = default;

ThreadPool::~ThreadPool() { leave_behind_after_fork(); }

// The threads of a parent are not in the child: nobody could wait for them.
void ThreadPool::leave_behind_after_fork() {
    if (team_ && team_->owner != getpid()) (void)team_.release();
}

void ThreadPool::run(std::int64_t n_tasks, const std::function<void(std::int64_t, int)>& body) {
    if (n_threads_ == 1 || n_tasks <= 1) {
        for (std::int64_t task = 0; task < n_tasks; ++task) body(task, 0);
        return;
    }
    leave_behind_after_fork();
    if (!team_) team_ = std::make_unique<Team>(n_threads_);
    team_->run(n_tasks, body);
}

}  // namespace bec
