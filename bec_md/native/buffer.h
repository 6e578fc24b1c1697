// Memory aligned to cache lines, kept between uses.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace bec {

template <typename T>
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::size_t size) {
        take(size);
        clear();
    }
    // Of numbers that have no value yet.
    static Buffer unset(std::size_t size) {
        Buffer buffer;
        buffer.take(size);
        return buffer;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Buffer() { release(); }

    // At least `size` elements; contents are lost (zeros) when it has to grow.
    T* require(std::size_t size) {
        if (size > size_) {
            release();
            take(size + size / 4);
            clear();
        }
        return data_;
    }

    // At least `size` elements, the first `used` of which are kept.
    T* grow(std::size_t size, std::size_t used) {
        if (size > size_) {
            Buffer larger(size + size / 2);
            if (used > 0) std::memcpy(static_cast<void*>(larger.data_), data_, used * sizeof(T));
            *this = std::move(larger);
        }
        return data_;
    }

    T* data() { return data_; }
    const T* data() const { return data_; }
    std::size_t size() const { return size_; }

private:
    static constexpr std::align_val_t alignment{64};
    T* data_ = nullptr;
    std::size_t size_ = 0;

    void clear() { std::memset(static_cast<void*>(data_), 0, size_ * sizeof(T)); }

    void take(std::size_t size) {
        data_ = static_cast<T*>(::operator new(size * sizeof(T), alignment));
        size_ = size;
    }

    void release() {
        if (data_ != nullptr) ::operator delete(data_, alignment);
        data_ = nullptr;
        size_ = 0;
    }
};

}  // namespace bec
