// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What becomes of CUDA's message that there is no code for a device.
#include "runtime/advice.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "runtime/device.h"

namespace moshi::runtime {
namespace {

constexpr const char* kNoKernel =
    "CUDA error: no kernel image is available for execution on the device\nSearch for ...";

BuildInfo build_for(const std::string& cuda, const std::string& flags) {
  BuildInfo build;
  build.libtorch = "2.7.1";
  build.libtorch_cuda = cuda;
  build.cuda = true;
  build.architectures = {"sm_75", "sm_80", "sm_90", "sm_120", "compute_120"};
  build.libtorch_architectures = architectures_of_flags(flags);
  return build;
}

BuildInfo cuda126() {
  return build_for("12.6",
                   "  - NVCC architecture flags: "
                   "-gencode;arch=compute_75,code=sm_75;-gencode;arch=compute_90,code=sm_90\n");
}

DeviceInfo device_of(const std::string& architecture, const BuildInfo& build) {
  DeviceInfo device;
  device.name = "cuda:0";
  device.architecture = architecture;
  device.problem = architecture_problem("cuda:0 (a card)", architecture, build);
  device.usable = device.problem.empty();
  return device;
}

bool contains(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST(Advice, ReadsTheArchitecturesOfLibTorch) {
  const std::vector<std::string> expected{"sm_75", "sm_90a", "compute_120"};
  EXPECT_EQ(
      architectures_of_flags("-gencode;arch=compute_75,code=sm_75;-gencode;arch=compute_90a,code=sm_90a;"
                             "-gencode;arch=compute_120,code=compute_120\n  - CuDNN 91.9\n"),
      expected);
  EXPECT_TRUE(architectures_of_flags("").empty());
}

TEST(Advice, MachineCodeRunsOnItsMajorVersionAndPtxOnAllLater) {
  const std::vector<std::string> compiled{"sm_75", "sm_80", "compute_90"};
  EXPECT_EQ(code_for("sm_75", compiled), CodeKind::Native);
  EXPECT_EQ(code_for("sm_87", compiled), CodeKind::Native);
  EXPECT_EQ(code_for("sm_70", compiled), CodeKind::None);
  EXPECT_EQ(code_for("sm_90", compiled), CodeKind::Ptx);
  EXPECT_EQ(code_for("sm_120", compiled), CodeKind::Ptx);
  EXPECT_EQ(code_for("sm_120", {"sm_75", "sm_90"}), CodeKind::None);
}

TEST(Advice, NoKernelImageOnSm120NamesTheLibTorchToInstall) {
  const BuildInfo build = cuda126();
  const std::string advice = advice_on(kNoKernel, {device_of("sm_120", build)}, build);
  EXPECT_TRUE(contains(advice, "cuda:0 (a card) is sm_120")) << advice;
  EXPECT_TRUE(contains(advice, "LibTorch 2.7.1 for CUDA 12.6 has code for sm_75, sm_90")) << advice;
  EXPECT_TRUE(contains(advice, "CUDA 12.8 (from 2.7.0) or CUDA 13.0 (from 2.9), never for 12.4 or 12.6"))
      << advice;
  EXPECT_TRUE(contains(advice, "https://download.pytorch.org/whl/cu128")) << advice;
  EXPECT_FALSE(contains(advice, "\n")) << advice;
}

TEST(Advice, NothingIsSaidAgainstLibTorchThatFits) {
  for (const char* cuda : {"12.8", "13.0"})
    EXPECT_EQ(architecture_problem("a card", "sm_120", build_for(cuda, "")), "");
  EXPECT_EQ(architecture_problem("a card", "sm_90", cuda126()), "");
  for (const char* cuda : {"12.4", "12.6"})
    EXPECT_NE(architecture_problem("a card", "sm_120", build_for(cuda, "")), "");
}

TEST(Advice, NoKernelImageOnAKnownCardSendsToTheDoctor) {
  const BuildInfo build = cuda126();
  EXPECT_TRUE(contains(advice_on(kNoKernel, {device_of("sm_90", build)}, build), "gst-moshi doctor"));
}

TEST(Advice, AnOldDriverIsNamed) {
  for (const char* message : {"CUDA driver version is insufficient for CUDA runtime version",
                              "the provided PTX was compiled with an unsupported toolchain."}) {
    EXPECT_TRUE(contains(advice_on(message, {}, cuda126()), "driver is too old")) << message;
  }
  EXPECT_EQ(advice_on("an illegal memory access was encountered", {}, cuda126()), "");
}

template <typename Exception>
void expect_advice(const Exception& exception) {
  try {
    with_errors("loading the codec", [&] { throw exception; });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::NoDevice);
    EXPECT_TRUE(contains(error.what(), "loading the codec failed: ")) << error.what();
    EXPECT_TRUE(contains(error.what(), "gst-moshi doctor") || contains(error.what(), "pip install"))
        << error.what();
    EXPECT_FALSE(contains(error.what(), "no kernel image")) << error.what();
  }
}

TEST(Advice, ReplacesTheMessageWhereverItArises) {
  expect_advice(std::runtime_error(kNoKernel));
  expect_advice(c10::Error({"function", "file", 1}, kNoKernel));
  expect_advice(Error(ErrorCode::Failed,
                      "a frame of the codec failed: CUDA error 209, no kernel image is available for "
                      "execution on the device: restart"));
}

TEST(Advice, OtherErrorsStayWhatTheyAre) {
  try {
    with_errors("encoding", [] { throw Error(ErrorCode::Busy, "no free slot"); });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Busy);
    EXPECT_STREQ(error.what(), "no free slot");
  }
}

}  // namespace
}  // namespace moshi::runtime
