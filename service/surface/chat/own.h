// What a provider of Chat Completions sent, for this protocol's clients.
#pragma once

#include <string>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// The relay asks every provider for the usage (`stream_options`), so the chunks of a client that did not have
// `"usage":null`, which it would not have got.
void drop_null_usage(std::string& chunk);

// What an encoder must know of a chunk.
struct OwnChunk {
  std::string id, created, model;  // as JSON; "": it has none
  bool has_choices = false, has_role = false, has_reason = false, has_usage = false, has_error = false;
};
OwnChunk read_own_chunk(std::string_view json);

// The beginning of a chunk of the same answer; `otherwise` if the first lacks an id, a time or a model.
std::string own_head(const OwnChunk& first, const std::string& otherwise);

// The chat.completion that the chunks of a stream add up to.
class CompletionFold {
 public:
  void take(json::Value chunk);
  json::Value completion() &&;

 private:
  json::Value completion_ = json::Value::object();
};

}  // namespace tokenrelay::surface
