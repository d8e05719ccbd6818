#include "service/http/router.h"

// GCC 12 takes std::function inside std::regex for uninitialised when a sanitizer is on (GCC bug 105562).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <httplib.h>

#include <algorithm>
#include <cassert>
#include <regex>
#include <typeinfo>

#include "service/http/percent.h"
#include "service/http/problem.h"

namespace tokenrelay::http {
namespace {

// The request as httplib reads it; httplib's answer is dropped. The functions without `override` cover the names of the
// interface in other versions.
// NOLINTBEGIN(modernize-use-override)
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string head) : head_(std::move(head)) {}

  bool is_readable() const { return at_ < head_.size(); }
  bool is_writable() const { return true; }
  bool wait_readable() const { return is_readable(); }
  bool wait_writable() const { return true; }
  ssize_t read(char* into, size_t room) {
    size_t n = std::min(room, head_.size() - at_);
    head_.copy(into, n, at_);
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char*, size_t size) { return static_cast<ssize_t>(size); }
  void get_remote_ip_and_port(std::string&, int&) const {}
  void get_local_ip_and_port(std::string&, int&) const {}
  socket_t socket() const { return 0; }
  time_t duration() const { return 0; }

 private:
  std::string head_;
  size_t at_ = 0;
};
// NOLINTEND(modernize-use-override)

class Bridge final : public httplib::Server {
 public:
  // httplib takes an invalid listening socket for a server that is stopping, and then reads nothing.
  Bridge() { svr_sock_ = 0; }
  ~Bridge() override { svr_sock_ = INVALID_SOCKET; }

  void route(std::string head) {
    MemoryStream stream(std::move(head));
    process(*this, stream);
  }

 private:
  // Debian 12 has 0.11; Debian 13 has 0.18, which also needs both addresses. The compiler picks the right call.
  template <class Self>
  static void process(Self& self, httplib::Stream& stream) {
    bool closed = false;
    const std::function<void(httplib::Request&)> setup;
    if constexpr (requires { self.process_request(stream, false, closed, setup); }) {
      self.process_request(stream, false, closed, setup);
    } else {
      self.process_request(stream, std::string(), 0, std::string(), 0, false, closed, setup);
    }
  }
};

bool routable(std::string_view method) {
  constexpr std::string_view known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  return std::find(std::begin(known), std::end(known), method) != std::end(known);
}

// The smallest head that names the route: of the client's bytes only the path reaches httplib's parser. '%' is encoded
// once more, so that httplib's decoding leaves the path as it was and %2F cannot become a separator.
std::string canonical_head(std::string_view method, std::string_view path) {
  std::string head(method);
  head += ' ';
  for (char c : path) {
    if (c == '%') {
      head += "%25";
    } else {
      head += c;
    }
  }
  head += " HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n\r\n";
  return head;
}

}  // namespace

struct Router::State {
  struct Route {
    std::string method;
    std::regex pattern;
  };

  Bridge bridge;
  std::vector<Route> routes;  // for 405: which methods a path has
  Request* current = nullptr;
  std::optional<Outcome> outcome;

  void handle(const httplib::Request& matched, const std::string& name, const Handler& handler) {
    if (current == nullptr) return;
    current->route = name;
    current->captures.clear();
    for (size_t i = 1; i < matched.matches.size(); ++i)
      current->captures.push_back(percent_decode(matched.matches[i].str()));
    try {
      outcome = handler(*current);
    } catch (...) {  // our fault; its text may contain a prompt, so it is not shown
      outcome = problem(Code::internal, "the request failed because of an error in the relay", current->request_id);
    }
  }

  std::string methods_of(const std::string& path) const {
    std::string allow;
    auto add = [&](const std::string& method) {
      if (allow.find(method) != std::string::npos) return;
      allow += allow.empty() ? method : ", " + method;
    };
    for (const Route& route : routes) {
      if (!std::regex_match(path, route.pattern)) continue;
      add(route.method);
      if (route.method == "GET") add("HEAD");
    }
    return allow;
  }
};

Router::Router() : state_(std::make_unique<State>()) {}
Router::~Router() = default;

void Router::add(std::string method, const std::string& pattern, std::string name, Handler handler) {
  assert(routable(method));
  auto call = [state = state_.get(), name = std::move(name), handler = std::move(handler)](
                  const httplib::Request& matched, httplib::Response&) { state->handle(matched, name, handler); };
  if (method == "GET") state_->bridge.Get(pattern, call);
  if (method == "POST") state_->bridge.Post(pattern, call);
  if (method == "PUT") state_->bridge.Put(pattern, call);
  if (method == "PATCH") state_->bridge.Patch(pattern, call);
  if (method == "DELETE") state_->bridge.Delete(pattern, call);
  state_->routes.push_back({std::move(method), std::regex(pattern)});
}

Outcome Router::dispatch(Request& request) {
  State& state = *state_;
  assert(state.current == nullptr && "handlers do not route");
  if (size_t mark = request.path.find('?'); mark != std::string::npos) {
    request.query = parse_query(std::string_view(request.path).substr(mark + 1));
    request.path.resize(mark);
  }
  request.route.clear();
  std::string path = normalise_path(request.path);
  std::string method = request.method == "HEAD" ? "GET" : request.method;
  state.outcome.reset();
  if (routable(method) && path.starts_with('/')) {
    state.current = &request;
    state.bridge.route(canonical_head(method, path));
    state.current = nullptr;
  }
  if (state.outcome) return *std::exchange(state.outcome, std::nullopt);
  if (std::string allow = state.methods_of(path); !allow.empty()) {
    Reply reply = problem(Code::method_not_allowed, "this path does not support " + request.method, request.request_id);
    reply.headers.emplace_back("Allow", allow);
    return reply;
  }
  return problem(Code::not_found, "this path does not exist", request.request_id);
}

}  // namespace tokenrelay::http
