// Content parts of Responses items in the neutral format (upstream/prompt.h): input_text becomes text, input_image
// image_url, and input_file file.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// The parts in item[name], which is a string or an array, as an array; `place` is the item's.
tl::expected<json::Value, Error> read_parts(const json::Value& item, const char* name, const std::string& place);

}  // namespace tokenrelay::surface
