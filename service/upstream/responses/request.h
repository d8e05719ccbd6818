// A ModelRequest as a Responses request (DIALECTS.md, Responses: request).
//
// System turns before the first other turn become `instructions`; later ones are items where they are. Members of
// x_responses.body are sent unchanged: they replace what was translated, except that `tools` and `include` are added
// to, and `text` and `reasoning` completed. Responses has no is_error for a tool's result: it becomes "Error: " before
// its text.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/upstream/own_request.h"
#include "service/upstream/prompt.h"
#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

struct ResponsesRequest {
  std::string body;
  bool background = false;  // as asked for, unless the client forbids storing the answer (store: false)
};

// The error names the field that is not supported.
tl::expected<ResponsesRequest, UnsupportedField> responses_request(const ModelRequest& request, bool background);

// The client's own request.
ResponsesRequest responses_own_request(const OwnRequest& own, std::string_view model, bool background);

// The messages as `input`, and the leading system turns as `instructions`.
struct ResponsesInput {
  std::string instructions;
  json::Value items;
};
tl::expected<ResponsesInput, UnsupportedField> responses_input(const Prompt& prompt);

}  // namespace tokenrelay::upstream
