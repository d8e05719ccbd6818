#include "service/upstream/model_list.h"

#include <optional>
#include <utility>

#include "service/json/sax.h"
#include "service/transport/loop.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::upstream {
namespace {

constexpr std::string_view gemini_folder = "models/";

// One model: its `id`, or Gemini's `name` without the folder.
void read_model(json::Reader& in, std::vector<std::string>& names) {
  std::string name;
  bool generates = true;
  in.object([&](std::string_view key) {
    if (key == "id" || (key == "name" && name.empty())) {
      name = in.string();
    } else if (key == "supportedGenerationMethods") {
      generates = in.raw().find("\"generateContent\"") != std::string_view::npos;
    }
  });
  if (name.starts_with(gemini_folder)) name.erase(0, gemini_folder.size());
  const bool usable = generates && !name.empty() && name.size() <= ModelList::name_bytes;
  if (usable && names.size() < ModelList::max_models) names.push_back(std::move(name));
}

}  // namespace

ModelList::Names model_names(std::string_view json) {
  std::string scratch;
  json::Reader in(json, scratch);
  std::vector<std::string> names;
  bool found = false;
  const auto read_list = [&] {
    if (in.peek() != json::Reader::Kind::array) return in.skip();
    found = true;
    in.array([&] { read_model(in, names); });
  };
  if (in.peek() == json::Reader::Kind::array) {
    read_list();
  } else if (in.peek() == json::Reader::Kind::object) {
    in.object([&](std::string_view key) {
      if (key == "data" || key == "models") read_list();
    });
  }
  if (!found || !in.at_end()) return nullptr;
  return std::make_shared<const std::vector<std::string>>(std::move(names));
}

struct ModelList::State final : std::enable_shared_from_this<State>, private client::TransferHandler {
  explicit State(std::shared_ptr<client::HttpClient> of)
      : client(std::move(of)), over(client->loop().timers(), [this] { finish(nullptr); }) {}

  const std::shared_ptr<client::HttpClient> client;
  transport::Timer over;  // the time for the request
  std::unique_ptr<client::Transfer> transfer;
  int status = 0;
  std::string body;
  std::vector<std::function<void(Names)>> waiting;
  Names names;
  int64_t valid_until_ms = 0;

  int64_t now_ms() const { return client->loop().clock().coarse_ms(); }

  void ask(client::HttpRequest request) {
    status = 0;
    body.clear();
    over.arm(time_ms);
    for (auto& header : request.headers) {
      if (header == "Accept: text/event-stream") header = "Accept: application/json";
    }
    transfer = client->send(std::move(request), *this);
  }

  // Later, not now: a transfer's callback may not destroy what it belongs to, and callers expect list() to return
  // first.
  void finish(const Names& found) {
    over.cancel();
    transfer = nullptr;
    std::string().swap(body);
    valid_until_ms = now_ms() + (found ? kept_ms : failed_ms);
    if (found) names = found;
    for (auto& done : std::exchange(waiting, {})) tell(std::move(done), found ? found : names);
  }

  void tell(std::function<void(Names)> done, Names what) {
    client->loop().post([done = std::move(done), what = std::move(what)] { done(what); });
  }

 private:
  void on_head(const client::HttpHead& head) override { status = head.status; }
  void on_body(std::string_view bytes) override {
    if (body.size() + bytes.size() > body_bytes) return finish(nullptr);
    body += bytes;
  }
  void on_end(const client::TransferEnd& end) override {
    const bool good = end.cause == client::TransferEnd::Cause::clean && status == 200;
    finish(good ? model_names(body) : nullptr);
  }
};

ModelList::ModelList(std::shared_ptr<client::HttpClient> client) : state_(std::make_shared<State>(std::move(client))) {}

ModelList::~ModelList() {
  if (!state_->waiting.empty()) state_->finish(nullptr);
}

void ModelList::list(client::HttpRequest request, std::function<void(Names)> done) {
  if (!state_->transfer && state_->now_ms() < state_->valid_until_ms)
    return state_->tell(std::move(done), state_->names);
  state_->waiting.push_back(std::move(done));
  if (!state_->transfer) state_->ask(std::move(request));
}

}  // namespace tokenrelay::upstream
