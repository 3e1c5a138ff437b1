"""The lookup that finds the parts which roles give to one whole."""

import glob
import os

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: role_files
short_description: Files of the same name or kind in all roles
description:
  - Returns the absolute paths of files in all roles, ordered by role.
  - The lookup fileglob takes no pattern for a folder, and the roles are folders.
options:
  _terms:
    description: Shell patterns of paths inside a role.
    required: true
"""

EXAMPLES = r"""
- name: Show the checks of all roles
  ansible.builtin.debug:
    msg: "{{ query('role_files', 'files/verify.sh') }}"
"""

RETURN = r"""
_raw:
  description: Absolute paths.
  type: list
  elements: str
"""

ROLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "roles")


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [path for term in terms for path in sorted(glob.glob(os.path.join(glob.escape(ROLES), "*", term)))]
