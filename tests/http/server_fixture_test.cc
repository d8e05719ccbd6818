#include "tests/http/server_fixture.h"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <stdexcept>

#include "service/http/problem.h"
#include "tests/support/catch.h"

namespace tokenrelay::http {
namespace {

Reply text(std::string body) {
  Reply reply;
  reply.body = std::move(body);
  reply.content_type = "text/plain";
  return reply;
}

asio::awaitable<Answer> later(TestServer& server, const Request& request, bool fail) {
  ++server.held;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  do {
    timer.expires_after(std::chrono::milliseconds(5));
    co_await timer.async_wait(asio::use_awaitable);
  } while (server.hold);
  if (fail) throw std::runtime_error("a secret");
  co_return text("later " + request.path + " " + request.body);
}

}  // namespace

void TestServer::add_routes() {
  router.add("GET", "/hello", "/hello", [](const Request&) -> Outcome { return text("hello"); });
  router.add("POST", "/echo", "/echo", [](const Request& request) -> Outcome { return text(request.body); });
  router.add("POST", "/length", "/length", [](const Request& request) -> Outcome {
    if (request.has_length) return text("has");
    return problem(Code::length_required, "a length is needed", request.request_id);
  });
  router.add("GET", "/who", "/who", [](const Request& request) -> Outcome {
    return text(request.client_address + " " + request.request_id + " " +
                std::string(request.header("host").value_or("-")));
  });
  router.add("GET", "/big", "/big", [](const Request&) -> Outcome { return text(std::string(8 << 20, 'b')); });
  router.add("GET", "/empty", "/empty", [](const Request&) -> Outcome {
    Reply reply;
    reply.status = 204;
    return reply;
  });
  router.add("POST", R"(/later/(.*))", "/later/{}",
             [this](const Request& request) -> Outcome { return later(*this, request, false); });
  router.add("GET", "/fails", "/fails",
             [this](const Request& request) -> Outcome { return later(*this, request, true); });
  router.add("GET", "/stream", "/stream", [this](const Request&) -> Outcome {
    return Takeover([this](TakenConnection taken) {
      TestStream& stream = streams_.emplace_back();
      stream.body = std::make_unique<StreamingBody>(std::move(taken), stream_options, stream);
      ++taken_;
    });
  });
}

void TestServer::start(bool loopback, size_t max_connections) {
  auto log = [this](const RequestRecord& record) {
    std::lock_guard lock(mutex_);
    if (keep_records) records_.push_back(record);
  };
  server_ = std::make_unique<Server>(
      *loop_, router, [this]() -> const ServerOptions& { return options; }, log, [] { return std::string("drawn"); });
  listener_ = std::make_unique<transport::Listener>(*loop_, "127.0.0.1:0", max_connections,
                                                    [this, loopback](transport::Socket socket) {
                                                      server_->serve(std::move(socket), loopback, [this] {
                                                        ++ended_;
                                                        listener_->closed();
                                                      });
                                                    });
  listener_->start();
  port_ = listener_->port();
  thread_ = std::thread([this] { loop_->run(); });
}

TestServer::~TestServer() {
  if (thread_.joinable()) {
    call([this] {
      streams_.clear();
      server_.reset();
      listener_.reset();
    });
    loop_->stop();
    thread_.join();
  }
  streams_.clear();
}

void TestServer::call(const std::function<void()>& on_loop) {
  auto done = std::make_shared<std::promise<void>>();  // shared: the waiter may be gone while set_value() still works
  loop_->post([&on_loop, done] {
    on_loop();
    done->set_value();
  });
  done->get_future().wait();
}

std::vector<RequestRecord> TestServer::records() {
  std::lock_guard lock(mutex_);
  return records_;
}

size_t TestServer::streams() {
  return taken_;
}

TestStream& TestServer::stream(size_t n) {
  if (!support::wait_until([&] { return taken_ > n; }, std::chrono::seconds(5))) throw std::runtime_error("no stream");
  TestStream* found = nullptr;
  call([&] { found = &*std::next(streams_.begin(), static_cast<std::ptrdiff_t>(n)); });
  return *found;
}

}  // namespace tokenrelay::http
