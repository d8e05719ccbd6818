#include "service/api/retries.h"

#include <algorithm>

#include "service/text/ascii.h"

namespace tokenrelay::api {
namespace {

std::string key_of(const http::Request& request, std::string_view body_hash) {
  std::string key = request.principal.owner + "\n" + request.path + "\n";
  return key.append(body_hash);
}

}  // namespace

bool Retries::may_repeat(const http::Request& request) const {
  const auto count = request.header("x-stainless-retry-count");
  return !streams_.empty() && count && !count->empty() && std::all_of(count->begin(), count->end(), text::is_digit) &&
         count->find_first_not_of('0') != count->npos;
}

std::shared_ptr<relay::Stream> Retries::find(const http::Request& request, const std::string& body_hash) const {
  const auto known = streams_.find(key_of(request, body_hash));
  if (known == streams_.end()) return nullptr;
  auto stream = known->second.lock();
  return stream && !stream->ended() ? stream : nullptr;
}

void Retries::remember(const http::Request& request, const std::shared_ptr<relay::Stream>& stream) {
  if (!request.header("x-stainless-retry-count")) return;
  std::string key = key_of(request, stream->row().body_hash);
  const auto [place, added] = streams_.insert_or_assign(key, stream);
  if (!added) return;
  order_.push_back(std::move(key));
  if (order_.size() <= max_entries) return;
  streams_.erase(order_.front());
  order_.pop_front();
}

}  // namespace tokenrelay::api
