// Content parts of Responses items, as the neutral request's (upstream/prompt.h): input_text is text, input_image
// image_url, input_file file.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// The parts in item[name], a string or an array; `place` is the item's. An array.
tl::expected<json::Value, Error> read_parts(const json::Value& item, const char* name, const std::string& place);

}  // namespace tokenrelay::surface
