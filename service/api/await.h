// Waits for a completion in a coroutine:
//
//   auto row = co_await until<Result<Row>>([&](auto then) { log.find(id, then); });
//
// The completion must be called on the loop's thread. If it is dropped uncalled (the log was closed), the coroutine is
// destroyed.
#pragma once

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace tokenrelay::api {

template <typename T>
asio::awaitable<T> until(std::function<void(std::function<void(T)>)> start) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(
      [](auto handler, const std::function<void(std::function<void(T)>)>& begin) {
        auto held = std::make_shared<decltype(handler)>(std::move(handler));
        auto starting = std::make_shared<bool>(true);
        begin([held, starting](T value) {
          if (!*starting) return (*held)(std::move(value));
          // A coroutine may not be resumed from inside its own suspension.
          auto executor = asio::get_associated_executor(*held);
          asio::post(executor, [held, kept = std::make_shared<T>(std::move(value))] { (*held)(std::move(*kept)); });
        });
        *starting = false;
      },
      asio::use_awaitable, std::move(start));
}

}  // namespace tokenrelay::api
