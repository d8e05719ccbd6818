#include "service/upstream/responses/items.h"

namespace tokenrelay::upstream {
namespace {

// One byte more than a generation takes of a call's id: a longer one is refused there, never cut.
constexpr size_t max_id_bytes = (16u << 10) + 1;
constexpr size_t max_ids_bytes = 8u << 20;  // of all items

bool differ(std::string_view a, std::string_view b) {
  return !a.empty() && !b.empty() && a != b;
}

}  // namespace

ItemKind kind_of_item(std::string_view type) {
  if (type == "message") return ItemKind::message;
  if (type == "reasoning") return ItemKind::reasoning;
  if (type == "function_call" || type == "custom_tool_call") return ItemKind::call;
  return type.empty() ? ItemKind::unknown : ItemKind::other;
}

// Its name first: several items may have one index, and one item's index may change. Then the index: some servers draw
// a new id for every event. Where the one has a place and the other has none, the latest item of the kind is meant.
OpenItems::Match OpenItems::match(const OpenItem& item, const ItemPlace& place) {
  if (item.kind != place.kind && item.kind != ItemKind::unknown && place.kind != ItemKind::unknown) return Match::none;
  const std::string_view id = place.id.substr(0, max_id_bytes), call_id = place.call_id.substr(0, max_id_bytes);
  const bool numbered = place.index && item.index >= 0;
  const bool same_index = numbered && item.index == *place.index;
  // llama.cpp's events name a call by its call_id.
  const bool named = (!id.empty() && (item.id == id || item.call_id == id)) ||
                     (!call_id.empty() && (item.call_id == call_id || item.id == call_id));
  if (named) return same_index || !numbered ? Match::exact : Match::name;
  if (differ(item.call_id, call_id)) return Match::none;
  if (same_index) return item.closed && differ(item.id, id) ? Match::none : Match::index;
  if (numbered || differ(item.id, id) || (item.closed && !place.closes)) return Match::none;
  return Match::loose;
}

void OpenItems::learn(OpenItem& item, const ItemPlace& place) {
  const auto keep = [this](std::string& into, std::string_view id) {
    if (!into.empty()) return;
    into = id.substr(0, max_id_bytes);
    ids_bytes_ += into.size();
  };
  if (item.kind == ItemKind::unknown) item.kind = place.kind;
  keep(item.id, place.id);
  keep(item.call_id, place.call_id);
  if (item.index < 0) item.index = place.index.value_or(-1);
}

bool OpenItems::too_large() const {
  return ids_bytes_ > max_ids_bytes;
}

OpenItem* OpenItems::find(const ItemPlace& place) {
  OpenItem* best = nullptr;
  Match found = Match::none;
  for (auto item = items_.rbegin(); item != items_.rend() && found != Match::exact; ++item) {
    const Match here = match(*item, place);
    if (here <= found) continue;
    found = here;
    best = &*item;
  }
  if (best) learn(*best, place);
  return best;
}

OpenItem* OpenItems::add(const ItemPlace& place) {
  if (items_.size() >= most) return nullptr;
  learn(items_.emplace_back(), place);
  return &items_.back();
}

}  // namespace tokenrelay::upstream
