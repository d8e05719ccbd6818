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
  call_next();
}

bool Slots::call_next() {
  if (line_.empty() || full()) return false;
  Waiter* next = line_.front();
  line_.pop_front();
  ++in_use_;
  next->on_slot();
  return true;
}

void Slots::allow(uint32_t max) {
  max_ = max;
  while (call_next()) {
  }
}

ModelTable::ModelTable(std::vector<std::shared_ptr<Upstream>> upstreams, std::string default_model)
    : upstreams_(std::move(upstreams)), default_model_(std::move(default_model)) {
  if (!default_model_.empty()) return;
  const auto known = names();
  if (!known.empty()) default_model_ = known.front();
}

void ModelTable::take_over_slots(const ModelTable& earlier) const {
  for (const auto& upstream : upstreams_) {
    for (const auto& old : earlier.upstreams_) {
      if (old->name != upstream->name) continue;
      upstream->slots = old->slots;
      upstream->slots->allow(upstream->max_concurrent);
      break;
    }
  }
}

std::shared_ptr<Upstream> ModelTable::serving(const std::string& model) const {
  for (const auto& u : upstreams_) {
    if (std::find(u->models.begin(), u->models.end(), model) != u->models.end()) return u;
  }
  for (const auto& u : upstreams_) {
    if (u->only_fallback) continue;
    const bool any = u->models.empty() || std::any_of(u->models.begin(), u->models.end(), [&](const auto& glob) {
                       return is_glob(glob) && fnmatch(glob.c_str(), model.c_str(), 0) == 0;
                     });
    if (any) return u;
  }
  return nullptr;
}

Route ModelTable::route_to(std::shared_ptr<Upstream> upstream, const std::string& model) const {
  Route route{std::move(upstream), model};
  for (const auto& fallback : route.upstream->fallbacks) {
    const auto named =
        std::find_if(upstreams_.begin(), upstreams_.end(), [&](const auto& u) { return u->name == fallback.upstream; });
    if (named == upstreams_.end()) continue;  // check-config refuses such a name
    route.fallbacks.push_back({*named, fallback.model.empty() ? model : fallback.model});
  }
  return route;
}

std::optional<Route> ModelTable::find(std::string_view model) const {
  const std::string name(model);
  auto upstream = serving(name);
  if (!upstream) return std::nullopt;
  return route_to(std::move(upstream), name);
}

std::vector<std::string> ModelTable::names() const {
  std::vector<std::string> out;
  for (const auto& u : upstreams_) {
    std::copy_if(u->models.begin(), u->models.end(), std::back_inserter(out),
                 [](const auto& m) { return !is_glob(m); });
  }
  return out;
}

std::vector<KnownModel> ModelTable::known() const {
  const auto named = names();
  std::vector<KnownModel> out;
  const auto add = [&](const std::string& name) {
    if (const auto u = serving(name)) out.push_back({name, u->name, std::string(u->provider->kind())});
  };
  const bool listed = std::find(named.begin(), named.end(), default_model_) != named.end();
  if (!listed && !default_model_.empty()) add(default_model_);
  for (const auto& name : named) add(name);
  return out;
}

}  // namespace tokenrelay::relay
