// The body of POST /v1/streams, checked: every field is known and has the right type; errors name the field.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/api/begin.h"
#include "service/json/parse.h"

namespace tokenrelay::api {

// An object of strings within the limits of begin.h. The error begins with the place in it: "" or ".name".
tl::expected<void, std::string> check_metadata(const json::Value& metadata);

// Chat messages: a non-empty array of {role, content}. Returns the bytes of their text.
tl::expected<uint64_t, std::string> check_messages(const json::Value& messages);

// The error is the `detail` of a 400.
tl::expected<StreamRequest, std::string> parse_create_request(std::string_view body, json::Limits limits);

}  // namespace tokenrelay::api
