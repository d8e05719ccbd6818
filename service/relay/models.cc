#include "service/relay/models.h"

#include <fnmatch.h>

#include <algorithm>
#include <cassert>

namespace tokenrelay::relay {
namespace {

bool is_glob(const std::string& pattern) {
  return pattern.find_first_of("*?[") != std::string::npos;
}

}  // namespace

bool Slots::take() {
  if (full()) return false;
  ++in_use_;
  return true;
}

void Slots::give_back() {
  assert(in_use_ > 0);
  --in_use_;
  if (line_.empty() || full()) return;
  Waiter* next = line_.front();
  line_.pop_front();
  ++in_use_;
  next->on_slot();
}

ModelTable::ModelTable(std::vector<std::shared_ptr<Upstream>> upstreams, std::string default_model)
    : upstreams_(std::move(upstreams)), default_model_(std::move(default_model)) {
  if (!default_model_.empty()) return;
  // An upstream that takes every name as it comes is asked for "default" by who names none.
  const auto known = names();
  if (!known.empty()) default_model_ = known.front();
  if (known.empty() && upstreams_.size() == 1 && upstreams_.front()->models.empty()) default_model_ = "default";
}

std::optional<Route> ModelTable::find(std::string_view model) const {
  const std::string name(model);
  for (const auto& u : upstreams_) {
    if (std::find(u->models.begin(), u->models.end(), name) != u->models.end()) return Route{u, name};
  }
  for (const auto& u : upstreams_) {
    const bool any = u->models.empty() || std::any_of(u->models.begin(), u->models.end(), [&](const auto& glob) {
                       return is_glob(glob) && fnmatch(glob.c_str(), name.c_str(), 0) == 0;
                     });
    if (any) return Route{u, name};
  }
  return std::nullopt;
}

std::vector<std::string> ModelTable::names() const {
  std::vector<std::string> out;
  for (const auto& u : upstreams_) {
    std::copy_if(u->models.begin(), u->models.end(), std::back_inserter(out),
                 [](const auto& m) { return !is_glob(m); });
  }
  return out;
}

}  // namespace tokenrelay::relay
