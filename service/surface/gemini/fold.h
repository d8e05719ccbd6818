// The GenerateContentResponse that the chunks of a stream add up to, as the provider sent them.
#pragma once

#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::surface {

class ResponseFold {
 public:
  void take(json::Value chunk);
  json::Value response() && { return std::move(response_); }
  bool has_reason() const { return has_reason_; }  // the provider has said why the answer ends

 private:
  json::Value response_ = json::Value::object();
  bool has_reason_ = false;
};

// Whether a chunk says why its answer ends, or that it failed. Reads without a DOM.
bool ends_gemini(std::string_view chunk);

}  // namespace tokenrelay::surface
