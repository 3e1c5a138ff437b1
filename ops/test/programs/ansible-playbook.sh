#!/bin/sh
# Stands in for ansible-playbook: writes down its arguments, with the texts of a file of extra variables instead of the file, which is gone later.
line=ansible
for each; do
  case $each in
    @*) line="$line $(grep -o '"[^"]*"' "${each#@}" | tr -d '"\n')" ;;
    *) line="$line $each" ;;
  esac
done
echo "$line" >>calls
# A person who writes the inventory at the same time.
[ ! -e typed ] || cat typed >>ansible/inventory/hosts.yml
