#include "service/client/target.h"

#include <cstdlib>

#include "tests/support/catch.h"

using namespace tokenrelay::client;

namespace {

class Environment {
 public:
  explicit Environment(std::vector<std::pair<const char*, const char*>> variables) : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) setenv(name, value, 1);
  }
  ~Environment() {
    for (const auto& [name, value] : variables_) unsetenv(name);
  }

 private:
  std::vector<std::pair<const char*, const char*>> variables_;
};

Origin origin(const std::string& url) {
  return parse_target(url).value().origin;
}

}  // namespace

TEST_CASE("a URL is taken apart") {
  const auto target = parse_target("https://User:pass@API.Example/v1/x?key=1#part");
  REQUIRE(target);
  CHECK(target->origin.tls);
  CHECK(target->origin.host == "api.example");
  CHECK(target->origin.port == 443);
  CHECK(target->path == "/v1/x?key=1");
  CHECK(origin("http://[::1]:8000/v1").host == "::1");
  CHECK(origin("http://[::1]:8000/v1").port == 8000);
  CHECK_FALSE(parse_target("ftp://a/b"));
  CHECK_FALSE(parse_target(""));
}

TEST_CASE("without variables there is no proxy") {
  CHECK(Proxies::of_environment().of(origin("http://a.example/")) == nullptr);
}

TEST_CASE("a proxy's address, with libcurl's defaults") {
  const Environment variables({{"http_proxy", "cache.example:3128"}, {"all_proxy", "socks5://[2001:db8::1]"}});
  const auto proxies = Proxies::of_environment();
  const auto* const http = proxies.of(origin("http://a.example/"));
  const auto* const https = proxies.of(origin("https://a.example/"));
  REQUIRE(http);
  REQUIRE(https);
  CHECK(http->host == "cache.example");
  CHECK(http->port == 3128);
  CHECK(http->looks_up);
  CHECK(https->host == "2001:db8::1");
  CHECK(https->port == 1080);
  CHECK_FALSE(https->looks_up);
}

TEST_CASE("no_proxy: names, whole domains, networks, everything") {
  struct Case {
    const char *no_proxy, *url;
    bool direct;
  };
  for (const auto& [no_proxy, url, direct] : {
           Case{"example.com", "http://example.com/", true},
           Case{"example.com", "http://a.example.com/", true},
           Case{".example.com", "http://a.example.com/", true},
           Case{"example.com", "http://notexample.com/", false},
           Case{"b.example, 10.0.0.0/8", "http://10.1.2.3/", true},
           Case{"10.0.0.0/8", "http://11.1.2.3/", false},
           Case{"192.168.16.0/20", "http://192.168.31.255/", true},
           Case{"192.168.16.0/20", "http://192.168.32.1/", false},
           Case{"::1", "http://[::1]:80/", true},
           Case{"2001:db8::/33", "http://[2001:db8:8000::1]/", false},
           Case{"10.0.0.0/99", "http://10.1.2.3/", false},
           Case{"a,*", "http://any.example/", false},
           Case{"0.0.1", "http://127.0.0.1/", false},
           Case{"10.0.0.0/0", "http://127.0.0.1/", false},
           Case{"10.0.0.0/0", "http://10.0.0.0/", true},
           Case{"127.0.0.1", "http://127.0.0.1/", true},
           Case{"localhost", "http://localhost.:80/", true},
           Case{"localhost.", "http://localhost/", true},
           Case{"[::1]", "http://[::1]:80/", false},
           Case{"*", "http://any.example/", true},
           Case{"", "http://a/", false},
       }) {
    CAPTURE(no_proxy, url);
    const Environment variables({{"http_proxy", "http://127.0.0.1:3128"}, {"no_proxy", no_proxy}});
    CHECK((Proxies::of_environment().of(origin(url)) == nullptr) == direct);
  }
}
