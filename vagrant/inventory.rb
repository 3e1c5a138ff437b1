require "ipaddr"
require "yaml"

# The hosts of Ansible's inventory, as far as Vagrant needs them. A wrong inventory ends the command with one message.
class Inventory
  KEYS = { "private_ip" => String, "memory" => Integer, "cpus" => Integer }.freeze

  attr_reader :hosts # {name => its variables}, in the inventory's order

  def initialize(file)
    @file = file
    @tree = read
    @hosts = hosts_below(@tree)
    check_groups
    @hosts.each { |name, vars| check_host(name, vars) }
    check_addresses
  end

  def address(name)
    @hosts.dig(name.to_s, "private_ip")
  end

  # Ends the command. Public, for problems that only a start can find.
  def refuse(problem)
    abort "Halo: #{@file}: #{problem}\nFix: correct it there, then run this again."
  end

  private

  def read
    YAML.safe_load(File.read(@file), aliases: true).fetch("all")
  rescue SystemCallError, Psych::Exception, KeyError, NoMethodError, TypeError => e
    refuse "cannot be read as an inventory (#{e.message})"
  end

  # Collects every group's hosts with their variables, however deep the groups are nested.
  def hosts_below(group, found = {})
    (group["hosts"] || {}).each { |name, vars| (found[name] ||= {}).merge!(vars || {}) }
    (group["children"] || {}).each_value { |child| hosts_below(child || {}, found) }
    found
  end

  def check_groups
    %w[balancers backends].each do |group|
      refuse "group #{group} has no host" if hosts_below(@tree.dig("children", group) || {}).empty?
    end
  end

  def check_host(name, vars)
    refuse "#{name} cannot be a host's name here: letters, digits and - only" unless name.to_s.match?(/\A[A-Za-z0-9][A-Za-z0-9-]*\z/)
    (vars.keys - KEYS.keys).grep_v(/\Aansible_/).each do |key|
      refuse "#{name} has the unknown key #{key}; a host's keys are #{KEYS.keys.join(', ')} and Ansible's own (ansible_...)"
    end
    KEYS.each do |key, type|
      refuse "#{name} needs #{key}, #{type == String ? 'an IPv4 address' : 'a whole number'}" unless vars[key].is_a?(type)
    end
    refuse "#{name}: private_ip #{vars['private_ip']} is no IPv4 address" unless (IPAddr.new(vars["private_ip"]).ipv4? rescue false)
  end

  def check_addresses
    @hosts.group_by { |_, vars| vars["private_ip"] }.each do |address, same|
      refuse "#{same.map(&:first).join(' and ')} have the same private_ip #{address}" if same.size > 1
    end
  end
end
