// KeyTable: values by stream key. Keys are counted up, so the live ones are close together: a table of pages finds a
// value in one step, beside its neighbours. A hash map's nodes lie anywhere in memory, and every token makes three such
// look-ups, where a node that is not in the cache costs more than the look-up itself.
//
//   KeyTable<OpenStream> open;
//   open[key] = {2, bytes};
//   if (OpenStream* stream = open.find(key)) …       // valid until the key is erased
//
// Bounds: page_keys values for each page that holds a key, and 8 bytes for each page between the lowest and the highest
// key. Threads: as a standard container.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "storage/event.h"

namespace tokenrelay::storage {

template <typename T>
class KeyTable {
 public:
  static constexpr StreamKey page_keys = 64;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  T* find(StreamKey key) { return const_cast<T*>(std::as_const(*this).find(key)); }
  const T* find(StreamKey key) const {
    const StreamKey at = key / page_keys - first_;  // below first_ it wraps around and is past the end
    const Page* const page = at < pages_.size() ? pages_[at].get() : nullptr;
    return page != nullptr && (page->held & bit(key)) != 0 ? &page->values[key % page_keys] : nullptr;
  }

  // The value, created if there is none.
  T& operator[](StreamKey key) {
    Page& page = page_of(key / page_keys);
    if ((page.held & bit(key)) == 0) {
      page.held |= bit(key);
      ++size_;
    }
    return page.values[key % page_keys];
  }

  void erase(StreamKey key) {
    T* const value = find(key);
    if (value == nullptr) return;
    [[maybe_unused]] const T gone = std::exchange(*value, T{});  // destroyed last: its destructor may use the table
    --size_;
    Page& page = *pages_[key / page_keys - first_];
    page.held &= ~bit(key);
    if (page.held == 0) drop(key / page_keys - first_);
  }

  // In the order of the keys. `look` must not change the table.
  template <typename Look>
  void each(Look look) const {
    for (size_t at = 0; at < pages_.size(); ++at) {
      for (uint64_t left = pages_[at] ? pages_[at]->held : 0; left != 0; left &= left - 1) {
        const auto place = static_cast<size_t>(std::countr_zero(left));
        look((first_ + at) * page_keys + place, pages_[at]->values[place]);
      }
    }
  }

 private:
  struct Page {
    uint64_t held = 0;  // a bit for each value
    std::array<T, page_keys> values{};
  };

  static uint64_t bit(StreamKey key) { return uint64_t{1} << (key % page_keys); }

  Page& page_of(StreamKey number) {
    if (pages_.empty()) first_ = number;
    for (; first_ > number; --first_) pages_.emplace_front();
    while (first_ + pages_.size() <= number) pages_.emplace_back();
    auto& page = pages_[number - first_];
    if (!page) page = std::make_unique<Page>();
    return *page;
  }

  void drop(size_t at) {
    pages_[at].reset();
    while (!pages_.empty() && !pages_.back()) pages_.pop_back();
    for (; !pages_.empty() && !pages_.front(); ++first_) pages_.pop_front();
  }

  std::deque<std::unique_ptr<Page>> pages_;
  StreamKey first_ = 0;  // number of the first page
  size_t size_ = 0;
};

}  // namespace tokenrelay::storage
