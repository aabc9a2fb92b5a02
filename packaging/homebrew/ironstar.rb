# For a tap: `brew install OWNER/TAP/ironstar`. A release fills in url and sha256.
class Ironstar < Formula
  desc "DeepSeek V4 Flash inference: a private coding-agent backend in one binary"
  homepage "https://github.com/OWNER/ironstar"
  url "https://github.com/OWNER/ironstar/archive/refs/tags/v0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args(path: "crates/cli")
    generate_completions_from_executable(bin/"ironstar", "completions")
    system bin/"ironstar", "man", "--out", "man"
    man1.install Dir["man/*.1"]
  end

  service do
    run [opt_bin/"ironstar", "serve"]
    keep_alive crashed: true
    log_path var/"log/ironstar.log"
    error_log_path var/"log/ironstar.log"
  end

  test do
    assert_match "ironstar serve", shell_output("#{bin}/ironstar run -m tiny --nothink 'How do I start the server?'")
  end
end
