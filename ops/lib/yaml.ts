import { parse, type ScalarTag, type Tags } from "yaml";

/** PyYAML, with which Ansible reads the same files, takes these words for booleans. YAML 1.2 takes them for texts. */
const word: ScalarTag = {
  tag: "tag:yaml.org,2002:bool",
  default: true,
  test: /^(?:yes|Yes|YES|on|On|ON|no|No|NO|off|Off|OFF)$/,
  resolve: (text) => /^(?:yes|on)$/i.test(text),
};

/** The value of a YAML text as Ansible reads it: with its booleans and its merge keys (<<). Throws a YAMLParseError. */
export const readYaml = (text: string) => parse(text, { merge: true, customTags: (tags: Tags) => [...tags, word] });
