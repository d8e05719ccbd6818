// HttpProvider: a provider whose calls are HTTP requests. It holds what the calls share, prepares them and starts them.
//
// A dialect's call derives from SseCall and has `Shared` (HttpShared or derived from it), `kind`, prepare(),
// models_request(), and a constructor that takes (std::shared_ptr<Shared>, HttpPreparedPtr, CallHandler&) and sends the
// request.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "service/client/http_client.h"
#include "service/upstream/model_list.h"
#include "service/upstream/providers.h"

namespace tokenrelay::upstream {

struct HttpShared {
  std::shared_ptr<client::HttpClient> client;
  ProviderOptions options;
};

struct HttpPrepared final : PreparedRequest {
  client::HttpRequest http;  // copies share the body
  std::string request_id;
  bool background = false;  // Responses: the answer outlives its connection
  bool own = false;         // the client's own request, in this protocol

  size_t bytes() const override { return sizeof *this + (http.body ? http.body->size() : 0); }
};
using HttpPreparedPtr = std::shared_ptr<const HttpPrepared>;

template <class HttpCall>
class HttpProvider : public Provider, public ModelLister {
 public:
  HttpProvider(std::shared_ptr<client::HttpClient> client, ProviderOptions options)
      : shared_(std::make_shared<typename HttpCall::Shared>()), models_(client) {
    shared_->client = std::move(client);
    shared_->options = std::move(options);
    shared_->options.kind = HttpCall::kind;
  }

  std::string_view kind() const override { return HttpCall::kind; }
  Prepared prepare(const ModelRequest& request) const override {
    tl::expected<HttpPrepared, UnsupportedField> made = HttpCall::prepare(request, shared_->options);
    if (!made) return tl::make_unexpected(std::move(made.error()));
    made->request_id = request.request_id;
    made->own = request.own_of(HttpCall::kind) != nullptr;
    made->http.timeouts = shared_->options.timeouts;
    return std::make_shared<const HttpPrepared>(std::move(*made));
  }
  std::unique_ptr<Call> start(PreparedPtr request, CallHandler& handler) override {
    return std::make_unique<HttpCall>(shared_, std::static_pointer_cast<const HttpPrepared>(request), handler);
  }
  void list_models(std::function<void(ModelList::Names)> done) override {
    models_.list(HttpCall::models_request(shared_->options), std::move(done));
  }

 protected:
  const std::shared_ptr<typename HttpCall::Shared> shared_;

 private:
  ModelList models_;
};

}  // namespace tokenrelay::upstream
