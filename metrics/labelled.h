// Labelled: one metric family whose label values are bounded. The first `most` combinations are kept;
// every later one counts as "other" in all its labels. Any thread.
#pragma once

#include <prometheus/family.h>
#include <prometheus/labels.h>

#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokenrelay::metrics {

template <typename Metric, typename... Made>
class Labelled {
 public:
  Labelled(prometheus::Family<Metric>& family, std::vector<std::string> names, size_t most, Made... made)
      : family_(family), names_(std::move(names)), most_(most), made_(std::move(made)...) {}

  Metric& of(std::initializer_list<std::string_view> values) {
    std::vector<std::string> key(values.begin(), values.end());
    std::lock_guard lock(mutex_);
    const auto found = metrics_.find(key);
    if (found != metrics_.end()) return *found->second;
    if (metrics_.size() >= most_) key.assign(names_.size(), "other");
    return add(std::move(key));
  }

 private:
  Metric& add(std::vector<std::string> key) {
    const auto [place, fresh] = metrics_.try_emplace(std::move(key), nullptr);
    if (fresh) {
      prometheus::Labels labels;
      for (size_t i = 0; i < names_.size(); ++i) labels.emplace(names_[i], place->first[i]);
      place->second = &std::apply([&](const Made&... made) -> Metric& { return family_.Add(labels, made...); }, made_);
    }
    return *place->second;
  }

  prometheus::Family<Metric>& family_;
  const std::vector<std::string> names_;
  const size_t most_;
  const std::tuple<Made...> made_;
  std::mutex mutex_;
  std::map<std::vector<std::string>, Metric*> metrics_;
};

}  // namespace tokenrelay::metrics
