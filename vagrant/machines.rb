require "ipaddr"
require "socket"

# Steps around a machine's start and end that Vagrant does not take itself: its SSH host key is forgotten with it, and a
# container whose creation was cut short is created again.
class Machines
  def initialize(inventory, known_hosts)
    @inventory = inventory
    @known_hosts = known_hosts
    @keys = Mutex.new # hosts may be started at once
  end

  def register(triggers)
    before_and_after = {
      [:after, :destroy] => ->(machine) { forget_key(machine) },
      # Docker's reload creates a new key.
      [:before, :reload] => ->(machine) { forget_key(machine) if machine.provider_name == :docker },
      [:before, :up] => ->(machine) { prepare(machine) },
      [:after, :up] => ->(machine) { finish(machine) },
    }
    before_and_after.each do |(moment, action), step|
      triggers.public_send(moment, action) { |trigger| trigger.ruby { |_, machine| step.call(machine) } }
    end
  end

  private

  # A host that is created again has a new key.
  def forget_key(machine)
    return unless File.exist?(@known_hosts)

    @keys.synchronize do
      system("ssh-keygen", "-f", @known_hosts, "-R", @inventory.address(machine.name), out: File::NULL, err: File::NULL)
    end
  end

  # Exists while a host is created.
  def unfinished(machine)
    machine.data_dir.dirname.join("unfinished")
  end

  # The machine's own private key, the last thing that a new host gets
  def key(machine)
    machine.data_dir.join("private_key")
  end

  def prepare(machine)
    check_network(machine)
    remove_container_cut_short(machine)
    return unless machine.state.id == Vagrant::MachineState::NOT_CREATED_ID

    forget_key(machine) # something else may have removed the last one
    unfinished(machine).write("")
  end

  # Also after an interruption
  def finish(machine)
    whole = key(machine).file? || !machine.config.ssh.insert_key
    unfinished(machine).delete if whole && unfinished(machine).file?
  end

  def check_network(machine)
    network = IPAddr.new("#{@inventory.address(machine.name)}/24")
    taken = Socket.getifaddrs.find do |card|
      card.addr&.ipv4? && network.include?(card.addr.ip_address) && !card.name.match?(/\A(vboxnet|virbr|br-|docker|bridge)/)
    end
    return unless taken

    @inventory.refuse "the network of #{machine.name}, #{network}/24, is already in use on this machine " \
                      "(#{taken.name}: #{taken.addr.ip_address}); choose other addresses"
  end

  # Vagrant would give such a container neither its address nor its key any more.
  def remove_container_cut_short(machine)
    return unless machine.provider_name == :docker && machine.id && unfinished(machine).file? && !key(machine).file?

    system("docker", "rm", "--force", machine.id, out: File::NULL, err: File::NULL)
    machine.id = nil
  end
end
