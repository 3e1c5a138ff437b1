# Hosts as Docker containers with systemd as PID 1.
module Containers
  # The rights that systemd needs (a restricted machine refuses --privileged); a reboot inside is an exit to Docker.
  # tcp_orphan_retries: see role base, sysctl.conf.j2, which has it for machines with a kernel of their own.
  ARGS = %w[--cap-add=SYS_ADMIN --cap-add=NET_ADMIN --security-opt=seccomp=unconfined --security-opt=apparmor=unconfined
            --sysctl=net.ipv4.tcp_orphan_retries=2 --cgroupns=host --restart=unless-stopped
            --volume=/sys/fs/cgroup:/sys/fs/cgroup:rw --tmpfs=/run --tmpfs=/tmp].freeze

  # Vagrant's docker provider inspects every container it sees, and fails on containers that a parallel build has just
  # removed. The lab has the image built beforehand.
  def self.one_at_a_time
    ENV["VAGRANT_NO_PARALLEL"] = "yes" if ENV["VAGRANT_DEFAULT_PROVIDER"] == "docker" || ARGV.include?("--provider=docker")
  end

  # ssh_port: one for each; hosts that are started at once would all find the same one free.
  def self.configure(host, build_dir:, build_args:, memory:, ssh_port:)
    host.vm.provider "docker" do |docker, override|
      override.vm.box = nil
      override.vm.network "forwarded_port", guest: 22, host: ssh_port, host_ip: "127.0.0.1", id: "ssh", auto_correct: true
      docker.build_dir = build_dir
      docker.build_args = build_args
      docker.has_ssh = true
      docker.stop_timeout = 60
      docker.create_args = ARGS + ["--memory=#{memory}m"]
    end
  end
end
