// Excerpts: the long texts of a stream that stay in the log while an answer is put together.
//
// An answer that is read whole is made of a stream's texts. Those that are short are held; in place of a long one
// stands a mark, and what is said there is read from the log, block by block, while the answer is sent (Pieces). So an
// answer costs a block of memory, not its size, and no turn of the loop has all of it to do. A mark is a word with 130
// random bits: no text that a client or a model wrote can be taken for one.
//
// Threads: the loop's; a copy may be read elsewhere. Bounds: `most` bytes of texts that are held, beyond that only
// texts shorter than `short_bytes`, which held_bytes() counts too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/relay/context.h"
#include "storage/event.h"

namespace tokenrelay::relay {

// The events of one kind (and of one tool call) after `after` up to `upto`.
struct Excerpt {
  storage::Seq after = 0, upto = 0;
  storage::EventKind kind = storage::EventKind::text;
  uint64_t call = 0;  // the index of the tool call
};

class Excerpts {
 public:
  static constexpr size_t short_bytes = 1 << 10;

  // Where a text begins in the log, and the number of its excerpt once it is one.
  struct Place {
    storage::Seq after = 0;
    size_t number = 0;  // 0: the text is held
  };

  Excerpts(const Random& random, size_t most);

  // Appends `piece`, said by the events of `events`, to a text, or turns the text into a mark.
  void append(std::string& text, Place& place, const Excerpt& events, std::string_view piece);
  void hold(size_t bytes) { held_ += bytes; }  // of something else that is kept beside the texts

  bool any() const { return !all_.empty(); }
  // Null: the text is held.
  const Excerpt* excerpt_at(const Place& place) const { return place.number == 0 ? nullptr : &all_[place.number - 1]; }
  size_t held_bytes() const { return held_; }

  // The first mark in `bytes` at or after `from`; nullptr: none. A mark that begins in the last mark_bytes() - 1 bytes
  // is not whole and not found.
  struct Found {
    size_t at = 0;
    const Excerpt* excerpt = nullptr;
  };
  Found find(std::string_view bytes, size_t from) const;
  size_t mark_bytes() const;

 private:
  std::string mark(size_t number) const;

  const std::string name_;  // what each mark begins with
  const size_t most_;
  size_t held_ = 0;
  std::vector<Excerpt> all_;
};

}  // namespace tokenrelay::relay
