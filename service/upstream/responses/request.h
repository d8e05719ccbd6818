// A ModelRequest in the words of Responses (DIALECTS.md, Responses: request).
//
// System turns before the first other one are its `instructions`, later ones items in their place. Members of
// x_responses.body stand as they are: they replace what was translated, `tools` and `include` are added to, `text` and
// `reasoning` completed. A tool result's is_error has no words here: its text says so itself.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/upstream/prompt.h"
#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

struct ResponsesRequest {
  std::string body;
  bool background = false;  // asked for, unless the client forbade that the answer is stored (store: false)
};

// What cannot be carried over is named.
tl::expected<ResponsesRequest, UnsupportedField> responses_request(const ModelRequest& request, bool background);

// The messages as `input`; what leads them is taken into `instructions`.
struct ResponsesInput {
  std::string instructions;
  json::Value items;
};
tl::expected<ResponsesInput, UnsupportedField> responses_input(const Prompt& prompt);

}  // namespace tokenrelay::upstream
