// OpenItems: the items of one response under way, and which of them an event means (DIALECTS.md, Responses: items and
// parts). Servers name and number items in every way that can be thought of, so the place that an event gives is
// compared with what is known of each item. Bounds: 4,096 items, 8 MiB of ids. Threads: the loop's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/json/joiner.h"
#include "service/upstream/said.h"

namespace tokenrelay::upstream {

enum class ItemKind { unknown, message, reasoning, call, other };
ItemKind kind_of_item(std::string_view type);

// Where an event says that it belongs; each part may be missing.
struct ItemPlace {
  ItemKind kind = ItemKind::unknown;
  std::string_view id = {}, call_id = {};
  std::optional<int64_t> index = {};
  bool closes = false;  // it repeats as a whole what was said
};

struct OpenItem {
  enum class Voice { text, summary, reasoning };

  ItemKind kind = ItemKind::unknown;
  std::string id, call_id;
  int64_t index = -1;                  // the upstream's output_index, or -1
  bool added = false, closed = false;  // output_item.added, output_item.done
  Said said;                           // its text, or its arguments
  json::Joiner joiner;                 // of the same
  int64_t part = -1;                   // the largest index of a part that spoke
  Said part_said;                      // by that part
  bool apart = false;                  // a blank line is due before what comes next
  std::optional<Voice> voice;          // how it speaks
  int number = -1;                     // of a call, once it is announced
  std::string held;                    // arguments that arrived before the name

  bool is_call() const { return kind == ItemKind::call; }
};

class OpenItems {
 public:
  static constexpr size_t most = 4096;

  // The item at a place, which is told what it did not know of itself; null: none of them.
  OpenItem* find(const ItemPlace& place);
  OpenItem* add(const ItemPlace& place);  // null: there are too many
  void learn(OpenItem& item, const ItemPlace& place);
  bool too_large() const;  // the ids are more than the bound allows

  std::vector<OpenItem>::iterator begin() { return items_.begin(); }
  std::vector<OpenItem>::iterator end() { return items_.end(); }
  std::vector<OpenItem>::const_iterator begin() const { return items_.begin(); }
  std::vector<OpenItem>::const_iterator end() const { return items_.end(); }

 private:
  enum class Match { none, loose, index, name, exact };
  static Match match(const OpenItem& item, const ItemPlace& place);

  std::vector<OpenItem> items_;
  size_t ids_bytes_ = 0;
};

}  // namespace tokenrelay::upstream
