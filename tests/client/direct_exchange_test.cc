// What happens on the connection: large bodies, early answers, idle connections and their ends, proxies.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "service/client/http_client.h"
#include "service/transport/loop.h"
#include "tests/support/catch.h"
#include "tests/support/model_server.h"

using namespace tokenrelay;
using client::HttpRequest;
using client::TransferEnd;
using Cause = TransferEnd::Cause;
namespace script = support::script;

namespace {

struct Got final : client::TransferHandler {
  void on_head(const client::HttpHead& given) override { head = given; }
  void on_body(std::string_view bytes) override { body += bytes; }
  void on_end(const TransferEnd& given) override {
    end = given;
    loop->stop();
  }
  transport::Loop* loop = nullptr;
  client::HttpHead head;
  std::string body;
  std::optional<TransferEnd> end;
};

struct Asker {
  explicit Asker(const std::string& base_url, client::Resolver::System system = client::Resolver::ask_the_system)
      : url(base_url), client(loop, std::move(system)) {}

  Got ask(HttpRequest request) {
    Got got;
    got.loop = &loop;
    if (request.url.empty()) request.url = url;
    request.timeouts = {2'000, 3'000, 3'000, 300};
    const auto transfer = client.send(std::move(request), got);
    CHECK_FALSE(got.end);
    transport::Timer deadline(loop.timers(), [&] { loop.stop(); });
    deadline.arm(20'000);
    loop.run();
    REQUIRE(got.end);
    return got;
  }
  Got post(const std::string& body) {
    HttpRequest request;
    request.body = std::make_shared<std::string>(body);
    return ask(std::move(request));
  }
  void run_for(int64_t ms) {
    transport::Timer timer(loop.timers(), [&] { loop.stop(); });
    timer.arm(ms);
    loop.run();
  }

  std::string url;
  transport::Loop loop;
  client::HttpClient client;
};

support::Script answer(const std::string& body) {
  return {script::send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body)};
}

class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* const name_;
};

}  // namespace

TEST_CASE("a body of 10 MiB arrives whole, also on a connection that was idle") {
  support::ModelServer server;
  server.answer(answer("thanks"));
  Asker asker(server.base_url());
  std::string body(10u << 20, 'x');
  for (size_t i = 0; i < body.size(); i += 4093) body[i] = static_cast<char>('a' + i % 26);
  for (int i = 0; i < 2; ++i) {
    CHECK(asker.post(body).body == "thanks");
    CHECK(server.call(static_cast<size_t>(i)).body == body);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("an answer that comes before the request has gone out") {
  // Nobody reads more of the body than the first bytes.
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(listen(listener, 1) == 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::thread server([&] {
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    char bytes[1000];
    (void)!recv(client, bytes, sizeof bytes, 0);
    const std::string text = "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch";
    (void)!send(client, text.data(), text.size(), MSG_NOSIGNAL);
    pollfd closed{client, POLLRDHUP, 0};
    CHECK(poll(&closed, 1, 5'000) == 1);
    close(client);
  });
  Asker asker("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/");
  const Got got = asker.post(std::string(10u << 20, 'x'));
  CHECK(got.head.status == 413);
  CHECK(got.body == "much");
  CHECK(got.end->cause == Cause::clean);
  server.join();  // the connection was closed, not kept: half a request is on it
  close(listener);
}

TEST_CASE("a request that fails on an idle connection is asked once more, on a fresh one") {
  support::ModelServer server;
  std::atomic<bool> dead{false};
  server.answer([&](support::ModelServer::Call& call) {
    const auto& seen = call.seen();
    if (dead || (seen.connection == 0 && seen.body == "second")) return call.close();
    call.play(answer(seen.body));
  });
  Asker asker(server.base_url());
  CHECK(asker.post("first").body == "first");
  CHECK(asker.post("second").body == "second");
  CHECK(server.calls() == 3);
  dead = true;
  CHECK(asker.post("third").end->cause == Cause::cut);
  CHECK(server.calls() == 5);
  CHECK(asker.post("fourth").end->cause == Cause::cut);  // on a fresh one already
  CHECK(server.calls() == 6);
}

TEST_CASE("a request is not asked again once its answer has begun") {
  support::ModelServer server;
  server.answer(answer("first"));
  server.answer({script::send("HTTP/1.1 2"), script::close()});
  Asker asker(server.base_url());
  asker.post("");
  CHECK(asker.post("").end->cause == Cause::cut);
  CHECK(server.calls() == 2);
}

TEST_CASE("an idle connection that speaks is dropped, and so is one whose answer was longer than it said") {
  support::ModelServer server;
  support::Script talks = answer("a");
  SECTION("later") {
    talks.push_back(script::pause(20));
    talks.push_back(script::send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nX"));
  }
  SECTION("at once") {
    talks[0].bytes += "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nX";
  }
  server.answer(talks);
  server.answer(answer("b"));
  Asker asker(server.base_url());
  CHECK(asker.post("").body == "a");
  for (int round = 0; round < 500 && server.open_connections() > 0; ++round) asker.run_for(10);
  CHECK(server.open_connections() == 0);
  CHECK(asker.post("").body == "b");
  CHECK(server.connections() == 2);
}

TEST_CASE("at most 64 connections stay idle") {
  support::ModelServer server;
  server.answer([](support::ModelServer::Call& call) {
    if (call.wait_released()) call.play(answer("x"));
  });
  Asker asker(server.base_url());
  std::vector<Got> got(70);
  std::vector<std::unique_ptr<client::Transfer>> transfers;
  for (Got& each : got) {
    each.loop = &asker.loop;
    transfers.push_back(asker.client.send({asker.url, {}, nullptr, {2'000, 9'000, 9'000, 300}}, each));
  }
  for (int round = 0; round < 500 && server.calls() < 70; ++round) asker.run_for(10);
  REQUIRE(server.calls() == 70);
  server.release(70);
  for (int round = 0; round < 500 && server.open_connections() != 64; ++round) asker.run_for(10);
  CHECK(server.open_connections() == 64);
  for (const Got& each : got) CHECK(each.body == "x");
}

TEST_CASE("an upstream with a name is reached at one of its addresses") {
  support::ModelServer server;
  server.answer(answer("by name"));
  const std::string port = std::to_string(server.port());
  std::atomic<int> looked_up{0};
  Asker asker("http://Model.Example:" + port + "/v1", [&](const std::string& name) -> client::Addresses {
    ++looked_up;
    if (name == "model.example") return {{"::1", "127.0.0.1"}, ""};  // nothing listens on the first
    return {{}, "no such name"};
  });
  CHECK(asker.post("").body == "by name");
  CHECK(asker.post("").body == "by name");
  CHECK(looked_up == 1);
  asker.url = "http://none.example:" + port + "/v1";
  const auto end = asker.post("").end;
  CHECK(end->cause == Cause::unreachable);
  CHECK(end->message == "cannot look up none.example: no such name");
}

TEST_CASE("a name whose look-up hangs is given up without waiting for it, or at the connection's limit") {
  const auto open = std::make_shared<std::atomic<bool>>(false);  // the thread that hangs outlives this test
  const auto hang = [open](const std::string&) -> client::Addresses {
    while (!*open) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {{"127.0.0.1"}, ""};
  };
  {
    Asker asker("http://model.example/v1", hang);
    HttpRequest request;
    request.url = asker.url;
    request.timeouts = {10'000, 3'000, 3'000, 300};
    Got got;
    got.loop = &asker.loop;
    auto transfer = asker.client.send(request, got);
    asker.run_for(20);
    const auto began = std::chrono::steady_clock::now();
    transfer.reset();
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(500));
    CHECK_FALSE(got.end);
    const auto end = asker.post("").end;  // its limit is 2 s
    CHECK(end->cause == Cause::connect_timeout);
  }
  *open = true;
}

TEST_CASE("through a proxy libcurl asks") {
  support::ModelServer proxy;
  proxy.answer(answer("by proxy"));
  const std::string address = "http://127.0.0.1:" + std::to_string(proxy.port());
  SECTION("http://") {
    const Variable variable("http_proxy", address);
    Asker asker("http://upstream.example/v1/x");
    CHECK(asker.post("hello").body == "by proxy");
    CHECK(proxy.call(0).head.substr(0, 40) == "POST http://upstream.example/v1/x HTTP/1");
    CHECK(proxy.call(0).body == "hello");
  }
  SECTION("https://") {
    const Variable variable("HTTPS_PROXY", address);
    Asker asker("https://upstream.example/v1/x");
    CHECK(asker.post("hello").end->cause == Cause::unreachable);  // no TLS behind this one
    CHECK(proxy.call(0).head.substr(0, 36) == "CONNECT upstream.example:443 HTTP/1.");
  }
  SECTION("a proxy with a name, which we look up, and of the target nothing") {
    const Variable variable("http_proxy", "proxy.example:" + std::to_string(proxy.port()));
    std::vector<std::string> names;  // by one thread
    Asker asker("http://upstream.example/v1/x", [&](const std::string& name) -> client::Addresses {
      names.push_back(name);
      return {{"127.0.0.1"}, ""};
    });
    CHECK(asker.post("hello").body == "by proxy");
    CHECK(names == std::vector<std::string>{"proxy.example"});
  }
  SECTION("not for no_proxy") {
    support::ModelServer server;
    server.answer(answer("direct"));
    const Variable variable("http_proxy", address), direct("no_proxy", "127.0.0.1");
    Asker asker(server.base_url());
    CHECK(asker.post("").body == "direct");
    CHECK(proxy.calls() == 0);
  }
}
