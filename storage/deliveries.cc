#include "storage/deliveries.h"

#include <algorithm>
#include <iterator>

namespace tokenrelay::storage {
namespace {

template <typename T>
void move_to(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::move_iterator(from.begin()), std::move_iterator(from.end()));
}

// Each stream once, with its newest end.
void keep_newest(std::vector<Durable>& durable) {
  std::sort(durable.begin(), durable.end(),
            [](const Durable& a, const Durable& b) { return a.key != b.key ? a.key < b.key : a.seq > b.seq; });
  const auto same = [](const Durable& a, const Durable& b) { return a.key == b.key; };
  durable.erase(std::unique(durable.begin(), durable.end(), same), durable.end());
}

}  // namespace

bool Deliveries::put(Delivery delivery) {
  std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(delivery));
  return waiting_.size() == 1;
}

Delivery Deliveries::take() {
  std::vector<Delivery> taken;
  {
    std::lock_guard lock(mutex_);
    taken.swap(waiting_);
  }
  if (taken.empty()) return {};
  Delivery all = std::move(taken.front());
  for (size_t i = 1; i < taken.size(); ++i) {
    move_to(all.durable, taken[i].durable);
    move_to(all.created, taken[i].created);
    move_to(all.removed, taken[i].removed);
  }
  if (taken.size() > 1) keep_newest(all.durable);
  return all;
}

}  // namespace tokenrelay::storage
