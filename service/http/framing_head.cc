// The head of a request: request line, headers, and what they say about the body (RFC 9112 3, 5, 6).
#include <algorithm>

#include "service/http/framing.h"
#include "service/http/grammar.h"
#include "service/http/origin.h"
#include "service/http/percent.h"

namespace tokenrelay::http {
namespace {

constexpr size_t method_bytes = 32;

size_t count(const Request& request, std::string_view name) {
  return static_cast<size_t>(
      std::count_if(request.headers.begin(), request.headers.end(), [&](const auto& h) { return h.first == name; }));
}

}  // namespace

void Framer::on_start_line(std::string_view line) {
  if (line.empty() && !blank_seen_) {
    blank_seen_ = true;
    return;
  }
  size_t first = line.find(' ');
  size_t last = line.rfind(' ');
  if (first == std::string_view::npos || std::count(line.begin(), line.end(), ' ') != 2 || last == first + 1) {
    return fail(Code::invalid_request, "the request line must be METHOD TARGET VERSION with single spaces");
  }
  std::string_view method = line.substr(0, first);
  std::string_view version = line.substr(last + 1);
  if (!is_token(method) || method.size() > method_bytes) return fail(Code::invalid_request, "the method is malformed");
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7])) {
    return fail(Code::invalid_request, "the protocol version is malformed");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return fail(Code::version_not_supported, "only HTTP/1.1 and HTTP/1.0 are supported");
  }
  request_.method = method;
  request_.http10 = version.back() == '0';
  phase_ = Phase::header;
  on_target(line.substr(first + 1, last - first - 1));
}

void Framer::on_target(std::string_view target) {
  bool visible = std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!visible) return fail(Code::invalid_request, "the request target has a character that must be percent-encoded");
  if (target == "*") {
    if (request_.method != "OPTIONS")
      return fail(Code::invalid_request, "the request target * is only allowed with OPTIONS");
    request_.path = "*";
    return;
  }
  if (target.front() == '/') return on_origin(target);
  size_t scheme = target.find("://");
  if (scheme == std::string_view::npos ||
      (!same_text(target.substr(0, scheme), "http") && !same_text(target.substr(0, scheme), "https"))) {
    return fail(Code::invalid_request, "the request target must be a path or an http URL");
  }
  target.remove_prefix(scheme + 3);
  std::string_view authority = target.substr(0, target.find_first_of("/?"));
  if (!parse_authority(authority)) {
    return fail(Code::invalid_request, "the host in the request target is malformed");
  }
  authority_ = authority;
  target.remove_prefix(authority.size());
  on_origin(target);
}

void Framer::on_origin(std::string_view origin) {
  size_t mark = origin.find('?');
  std::string_view path = origin.substr(0, mark);
  if (path.size() > limits_.path_bytes) {
    return fail(Code::uri_too_long, "the path is longer than " + std::to_string(limits_.path_bytes) + " bytes");
  }
  if (!well_encoded(path)) return fail(Code::invalid_request, "the path has a malformed percent-escape");
  request_.path = path.empty() ? "/" : path;
  if (mark != std::string_view::npos) request_.query = parse_query(origin.substr(mark + 1));
}

void Framer::on_header(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t')
    return fail(Code::invalid_request, "a header line must not continue on the next line");
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return fail(Code::invalid_request, "a header name is malformed");
  }
  if (request_.headers.size() == limits_.headers) {
    return fail(Code::head_too_large, "more than " + std::to_string(limits_.headers) + " headers");
  }
  request_.headers.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
}

void Framer::on_head_end() {
  section_bytes_ = 0;
  read_host();
  // Browsers send one. Whoever lets two through may look at the first or at the last.
  if (count(request_, "origin") > 1) return fail(Code::invalid_request, "more than one Origin header");
  read_connection();
  if (phase_ == Phase::failed) return;
  auto length = request_.header("content-length");
  auto coding = request_.header("transfer-encoding");
  if (coding) {
    if (request_.http10) return fail(Code::invalid_request, "HTTP/1.0 does not support Transfer-Encoding");
    if (length) return fail(Code::invalid_request, "Content-Length and Transfer-Encoding must not be sent together");
    if (count(request_, "transfer-encoding") != 1 || !same_text(*coding, "chunked")) {
      return fail(Code::invalid_request, "the only supported Transfer-Encoding is chunked");
    }
    phase_ = Phase::chunk_size;
  } else if (length) {
    if (count(request_, "content-length") != 1) return fail(Code::invalid_request, "more than one Content-Length");
    if (!read_length(*length)) return;
    phase_ = remaining_ == 0 ? Phase::done : Phase::fixed_body;
  } else {
    phase_ = Phase::done;
  }
  request_.has_length = coding || length;
  if (!read_expectation()) return;
  wants_continue_ = wants_continue_ && phase_ != Phase::done;
}

bool Framer::read_length(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) {
    fail(Code::invalid_request, "Content-Length is not a number");
    return false;
  }
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  if (text.size() <= 18) remaining_ = std::stoull(std::string(text));
  if (text.size() > 18 || remaining_ > limits_.body_bytes) {
    fail(Code::body_too_large, "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
    return false;
  }
  return true;
}

bool Framer::read_expectation() {
  if (request_.http10) return true;  // RFC 9110 10.1.1: such an expectation is ignored
  for (const auto& [name, value] : request_.headers) {
    if (name != "expect") continue;
    if (!same_text(value, "100-continue")) {
      fail(Code::expectation_failed, "the only supported Expect value is 100-continue");
      return false;
    }
    wants_continue_ = true;
  }
  return true;
}

void Framer::read_host() {
  size_t hosts = count(request_, "host");
  if (hosts > 1 || (hosts == 0 && !request_.http10)) {
    return fail(Code::invalid_request, "exactly one Host header is required");
  }
  if (hosts == 0) {
    if (!authority_.empty()) request_.headers.emplace_back("host", authority_);
    return;
  }
  for (auto& [name, value] : request_.headers) {
    if (name != "host") continue;
    if (!value.empty() && !parse_authority(value)) return fail(Code::invalid_request, "the Host header is malformed");
    if (!authority_.empty()) value = authority_;
  }
}

void Framer::read_connection() {
  bool close = false;
  bool keep = false;
  for (const auto& [name, value] : request_.headers) {
    if (name != "connection") continue;
    std::string_view list = value;
    while (!list.empty()) {
      std::string_view option = next_of(list);
      close = close || same_text(option, "close");
      keep = keep || same_text(option, "keep-alive");
    }
  }
  request_.keep_alive = !close && (keep || !request_.http10);
}

}  // namespace tokenrelay::http
