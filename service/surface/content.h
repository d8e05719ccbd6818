// Content as the neutral request has it (upstream/prompt.h), whichever protocol it came in.
#pragma once

#include <string>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// Parts as a message's content: a string where one plain text is all there is, because every server takes that.
json::Value content_of(json::Value parts, json::Value if_empty = nullptr);

// "messages[2]": where something stands, for error messages.
std::string numbered(const std::string& name, size_t number);

}  // namespace tokenrelay::surface
