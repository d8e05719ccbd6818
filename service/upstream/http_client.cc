#include "service/upstream/http_client.h"

#include <curl/curl.h>

#include <unordered_map>

#include "service/transport/loop.h"
#include "service/transport/timer_wheel.h"
#include "service/upstream/curl_loop.h"
#include "service/upstream/http_exchange.h"
#include "service/upstream/providers.h"

namespace tokenrelay::upstream {

struct HttpClient::State {
  explicit State(transport::Loop& on_loop) : loop(on_loop) {}
  transport::Loop& loop;
  std::shared_ptr<CurlLoop> curl;
  std::unordered_map<CURL*, std::shared_ptr<HttpExchange>> exchanges;
};

namespace {

// What the owner of a transfer holds; the exchange itself is the client's.
class Handle final : public Transfer {
 public:
  explicit Handle(std::shared_ptr<HttpExchange> exchange) : exchange_(std::move(exchange)) {}
  ~Handle() override {
    if (!finished_) exchange_->abandon();
  }
  void pause() override { exchange_->pause(); }
  void resume() override { exchange_->resume(); }
  void finish() override {
    finished_ = true;
    exchange_->drain();
  }

 private:
  const std::shared_ptr<HttpExchange> exchange_;
  bool finished_ = false;
};

std::shared_ptr<HttpExchange> begin(const std::shared_ptr<HttpClient::State>& state, HttpRequest request,
                                    TransferHandler& handler) {
  auto exchange = std::make_shared<HttpExchange>(state->loop, state->curl, std::move(request), handler);
  exchange->on_removed = [weak = std::weak_ptr(state)](CURL* easy) {
    if (const auto still = weak.lock()) still->exchanges.erase(easy);
  };
  state->exchanges.emplace(exchange->easy(), exchange);
  exchange->start();
  return exchange;
}

struct NobodyListens final : TransferHandler {
  void on_head(const HttpHead&) override {}
  void on_body(std::string_view) override {}
  void on_end(const TransferEnd&) override {}
};

}  // namespace

HttpClient::HttpClient(transport::Loop& loop) : state_(std::make_shared<State>(loop)) {
  state_->curl = CurlLoop::make(loop.context(), [weak = std::weak_ptr(state_)](CURL* easy, CURLcode result) {
    const auto state = weak.lock();
    if (!state) return;
    const auto found = state->exchanges.find(easy);
    if (found != state->exchanges.end()) std::shared_ptr(found->second)->completed(result);
  });
}

HttpClient::~HttpClient() {
  state_->curl->close();
  for (auto exchanges = std::move(state_->exchanges); auto& [easy, exchange] : exchanges) exchange->abandon();
}

std::unique_ptr<Transfer> HttpClient::send(HttpRequest request, TransferHandler& handler) {
  return std::make_unique<Handle>(begin(state_, std::move(request), handler));
}

// Owned by the client until its end; bounded by the request's own timeouts.
void HttpClient::send_off(HttpRequest request) {
  static NobodyListens nobody;
  begin(state_, std::move(request), nobody);
}

transport::Loop& HttpClient::loop() {
  return state_->loop;
}

std::shared_ptr<HttpClient> make_http_client(transport::Loop& loop) {
  return std::make_shared<HttpClient>(loop);
}

}  // namespace tokenrelay::upstream
