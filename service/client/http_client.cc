#include "service/client/http_client.h"

#include <unordered_map>

#include "service/client/direct_exchange.h"
#include "service/client/proxied_exchange.h"
#include "service/transport/loop.h"

namespace tokenrelay::client {

struct HttpClient::State {
  State(transport::Loop& on_loop, Resolver::System system)
      : loop(on_loop),
        poller(Poller::make(loop.context())),
        curl(CurlLoop::make(loop.context(), poller)),
        resolver(loop, std::move(system)),
        pool(loop, poller) {}

  transport::Loop& loop;
  const std::shared_ptr<Poller> poller;
  const std::shared_ptr<CurlLoop> curl;
  Resolver resolver;
  const Proxies proxies = Proxies::of_environment();
  std::unique_ptr<TlsClient> tls;
  ConnectionPool pool;
  std::unordered_map<Exchange*, std::shared_ptr<Exchange>> exchanges;
};

namespace {

// What the owner of a transfer holds; the client keeps the exchange itself.
class Handle final : public Transfer {
 public:
  explicit Handle(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
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
  const std::shared_ptr<Exchange> exchange_;
  bool finished_ = false;
};

std::shared_ptr<Exchange> make_exchange(HttpClient::State& state, HttpRequest request, TransferHandler& handler) {
  auto target = parse_target(request.url);
  if (const auto* const proxy = target ? state.proxies.of(target->origin) : nullptr) {
    return std::make_shared<ProxiedExchange>(state.loop, state.curl, state.resolver, *proxy, target->origin,
                                             std::move(request), handler);
  }
  const bool secure = target && target->origin.tls;
  if (secure && !state.tls) state.tls = std::make_unique<TlsClient>();
  const Shared shared{state.poller, state.curl, state.resolver, secure ? &*state.tls : nullptr, state.pool};
  return std::make_shared<DirectExchange>(state.loop, shared, std::move(target), request, handler);
}

std::shared_ptr<Exchange> begin(const std::shared_ptr<HttpClient::State>& state, HttpRequest request,
                                TransferHandler& handler) {
  auto exchange = make_exchange(*state, std::move(request), handler);
  exchange->when_over([weak = std::weak_ptr(state)](Exchange& over) {
    if (const auto still = weak.lock()) still->exchanges.erase(&over);
  });
  state->exchanges.emplace(exchange.get(), exchange);
  exchange->start();
  return exchange;
}

struct NobodyListens final : TransferHandler {
  void on_head(const HttpHead&) override {}
  void on_body(std::string_view) override {}
  void on_end(const TransferEnd&) override {}
};

}  // namespace

HttpClient::HttpClient(transport::Loop& loop, Resolver::System system)
    : state_(std::make_shared<State>(loop, std::move(system))) {}

HttpClient::~HttpClient() {
  for (auto exchanges = std::move(state_->exchanges); auto& [key, exchange] : exchanges) exchange->abandon();
}

std::unique_ptr<Transfer> HttpClient::send(HttpRequest request, TransferHandler& handler) {
  return std::make_unique<Handle>(begin(state_, std::move(request), handler));
}

// The client owns the exchange until its end; the request's timeouts bound it.
void HttpClient::send_off(HttpRequest request) {
  static NobodyListens nobody;
  begin(state_, std::move(request), nobody);
}

bool HttpClient::trusts_authorities() const {
  return state_->tls != nullptr;
}

void HttpClient::trust(std::unique_ptr<TlsClient> authorities) {
  if (!state_->tls) state_->tls = std::move(authorities);
}

transport::Loop& HttpClient::loop() {
  return state_->loop;
}

std::shared_ptr<HttpClient> make_http_client(transport::Loop& loop) {
  return std::make_shared<HttpClient>(loop);
}

}  // namespace tokenrelay::client
