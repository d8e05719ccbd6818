// The response object and its output items, as a pure function of a stream's events: the same whether they are
// streamed, read back, or referred to in a later request.
//
// Items are numbered as they began; an item's id is made of the stream's and its number. What a provider wants back
// untouched is the encrypted_content of a reasoning item: the log's opaque object itself, so that any upstream's finds
// its way back through a protocol that knows only OpenAI's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/json/parse.h"
#include "service/relay/stream.h"
#include "service/surface/transcript.h"

namespace tokenrelay::surface {

// What the object says of a stream beside its events.
struct ResponseFacts {
  std::string key;  // strm_X without its prefix
  std::string model;
  std::string metadata;  // JSON object, "" for none
  int64_t created_s = 0;
};
ResponseFacts facts_of(const relay::Stream& stream);

struct OutputItem {
  size_t said = 0;               // its place in Transcript::items
  std::optional<size_t> opaque;  // the place of what belongs to it; its own, if it is nothing else
};

// Output items as they begin: an opaque object joins the reasoning before it, or is an item of its own.
class Output {
 public:
  // Takes in what was transcript since; true: an item has started.
  bool follow(const Transcript& transcript);
  const std::vector<OutputItem>& items() const { return items_; }

 private:
  std::vector<OutputItem> items_;
  size_t seen_ = 0;
};

std::string item_id(const ResponseFacts& facts, const Transcript& transcript, const Output& output, size_t number);
json::Value item_json(const ResponseFacts& facts, const Transcript& transcript, const Output& output, size_t number,
                      std::string_view status);

// Where an item's id points: the stream and the item's number. nullopt: no item of ours.
struct ItemReference {
  std::string stream_id;
  size_t number = 0;
};
std::optional<ItemReference> parse_item_id(std::string_view item_id);

// completed, incomplete, failed, cancelled.
std::string_view response_status(const Done& done);

// `status` is that of a stream that has not ended. A failed one has its error.
json::Value response_object(const ResponseFacts& facts, const Transcript& transcript, const Output& output,
                            std::string_view status);
json::Value response_object(const relay::Stream& stream, const Transcript& transcript);

}  // namespace tokenrelay::surface
