// Values with which a client says nothing.
#pragma once

#include "service/json/parse.h"

namespace tokenrelay::json {

// null, false, 0, "", [] and {}, and objects that contain nothing else. A field that is not supported may have one.
bool is_blank(const Value& value);

// null, "", [] and {}: what says nothing whatever the field means. (A temperature of 0 says something.)
bool is_empty(const Value& value);

}  // namespace tokenrelay::json
