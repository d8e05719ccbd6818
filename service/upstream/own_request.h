// OwnRequest: a request in a provider's own protocol, as its client wrote it. A provider of that kind gets these bytes,
// with only what the relay must set; so nothing is lost that the relay does not know. Another kind gets the neutral
// request (upstream.h).
//
// Threads: any; immutable once it is shared. Bounds: those of the client's request.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokenrelay::upstream {

struct OwnRequest {
  std::string kind;                                          // Provider::kind() of the protocol's provider
  std::string body;                                          // a JSON object
  std::vector<std::pair<std::string, std::string>> headers;  // those that may go up, names in lower case
  std::string query;                                         // "beta=true", percent-encoded; "" without one

  size_t bytes() const;  // of memory, about
};

// As it is stored: {"kind","headers","query","body"}, the body byte for byte.
std::string own_json(const OwnRequest& own);
std::optional<OwnRequest> read_own(std::string_view stored);

// What was said after the request: the answer so far, and what a steer added.
struct Turn {
  bool user = false;
  std::string text;
};
// Puts the turns behind those of the request, in its protocol. False: the request has no list of turns to put them in.
bool append_turns(OwnRequest& own, const std::vector<Turn>& turns);

// The object with these members set, and without those whose value is "". Each value is JSON. All other members keep
// their bytes and their order.
using Member = std::pair<std::string_view, std::string_view>;
std::string with_members(std::string_view object, std::initializer_list<Member> members);

// A top-level member's own text; "" if it is missing.
std::string_view member_of(std::string_view object, std::string_view name);

}  // namespace tokenrelay::upstream
