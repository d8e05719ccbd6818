// The response object and its output items, as a pure function of a stream's events: the same whether they are
// streamed, read back, or referred to in a later request.
//
// Items are numbered in the order they began; an item's id consists of the stream's id and this number. What a provider
// wants back unchanged is the encrypted_content of a reasoning item: the opaque object as it is in the log, so that any
// provider's comes back through a protocol that has a field only for OpenAI's.
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

// What the object contains besides the stream's events.
struct ResponseFacts {
  std::string key;  // strm_X without its prefix
  std::string model;
  std::string metadata;  // JSON object, "" without metadata
  int64_t created_s = 0;
};
ResponseFacts facts_of(const relay::Stream& stream);

struct OutputItem {
  size_t said = 0;               // its index in Transcript::items
  std::optional<size_t> opaque;  // the index of its opaque item; equal to `said` if it is nothing else
};

// Output items in the order they begin. An opaque object joins the reasoning before it, or is a separate item.
class Output {
 public:
  // Takes in what was added to the transcript since the last call. True: a new item has begun.
  bool follow(const Transcript& transcript);
  const std::vector<OutputItem>& items() const { return items_; }

 private:
  std::vector<OutputItem> items_;
  size_t seen_ = 0;
};

std::string item_id(const ResponseFacts& facts, const Transcript& transcript, const Output& output, size_t number);
json::Value item_json(const ResponseFacts& facts, const Transcript& transcript, const Output& output, size_t number,
                      std::string_view status);

// The stream and the number in an item's id. nullopt: the id is not one of this relay's.
struct ItemReference {
  std::string stream_id;
  size_t number = 0;
};
std::optional<ItemReference> parse_item_id(std::string_view item_id);

// completed, incomplete, failed, cancelled.
std::string_view response_status(const json::Value& start, const Done& done);

// `status` is used while the stream has not ended. The object of a failed stream contains its error.
json::Value response_object(const ResponseFacts& facts, const Transcript& transcript, const Output& output,
                            std::string_view status);
json::Value response_object(const relay::Stream& stream, const Transcript& transcript);

}  // namespace tokenrelay::surface
