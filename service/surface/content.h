// Content in the neutral format (upstream/prompt.h), for all surfaces.
#pragma once

#include <string>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// A message's content made of parts: a plain string if there is only one text, because every server accepts that.
json::Value content_of(json::Value parts, json::Value if_empty = nullptr);

// "messages[2]", a place for error messages.
std::string numbered(const std::string& name, size_t number);

}  // namespace tokenrelay::surface
