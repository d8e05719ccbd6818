// Does in a coroutine what may take long, without holding the loop (transport/worker.h):
//
//   std::function<Parsed()> parse = [&body, depth] { return parse_body(body, depth); };
//   auto parsed = co_await compute<Parsed>(api.shard.worker(), body.size(), parse);
//
// `bytes` is the size of what is worked on: little is done at once, here. The work may refer to the request, which
// lives until its handler has answered; the worker is stopped before the connections end.
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "service/api/await.h"
#include "service/transport/worker.h"

namespace tokenrelay::api {

template <typename T>
asio::awaitable<T> compute(transport::Worker& worker, size_t bytes, std::function<T()> work) {
  if (bytes <= transport::Worker::worth_bytes) co_return work();
  const auto result = std::make_shared<std::optional<T>>();
  const std::function<void()> job = [result, work = std::move(work)] { result->emplace(work()); };
  std::function<void(std::function<void(bool)>)> start = [&worker, job](std::function<void(bool)> then) {
    worker.run(job, [then = std::move(then)] { then(true); });
  };
  co_await until<bool>(std::move(start));
  co_return std::move(**result);
}

}  // namespace tokenrelay::api
