#include "service/http/sse.h"

#include <cassert>

namespace tokenrelay::http::sse {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  assert(value.find_first_of(std::string_view("\n\r\0", 3)) == std::string_view::npos);
  out += name;
  out += value;
  out += '\n';
}

}  // namespace

void append_event(std::string& out, std::string_view event_name, std::string_view json) {
  append_field(out, "event: ", event_name);
  append_field(out, "data: ", json);
  out += '\n';
}

void append_retry(std::string& out, int64_t retry_ms) {
  append_field(out, "retry: ", std::to_string(retry_ms));
}

}  // namespace tokenrelay::http::sse
