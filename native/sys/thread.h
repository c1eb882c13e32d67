// Threads of the process's own, beside those that serve requests.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "sys/result.h"

namespace lamina::sys {

// Starts `body` on a thread that receives no signals (they are for the main thread) and has the name `name` (15 bytes
// at most, pthread_setname_np(3)). Threads do not survive fork(2): start them after the last one.
Result<std::thread> start_thread(const std::string& name, std::function<void()> body);

}  // namespace lamina::sys
