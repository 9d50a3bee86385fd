# Every target is one script; the scripts say what they do and work without make.

.DEFAULT_GOAL := help
.PHONY: help setup run test test-clients test-engines test-story bench lint fmt fuzz

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## install what is missing (apt, rustup), fetch crates, mount bpffs
	@scripts/setup.sh

run: ## bring up the lab, enforce its NSGs on real packets, stay until Ctrl-C
	@scripts/run.sh

test: ## all checks and all tests
	@scripts/test.sh

test-clients: ## real clients (az, SDKs for Python and JavaScript, schemathesis) against a real server
	@scripts/test-clients.sh

test-engines: ## Spark, Azurite and an S3 server have the flow store, and agree with our own answers
	@scripts/test-engines.sh

test-story: ## the founding story with hydra, nmap, xrdp and sshd: found, guessed at, taken, isolated, brought back
	@scripts/test-story.sh

bench: ## what a packet costs, beside nftables, iptables with ipset, and no firewall
	@scripts/bench.sh

lint: ## what needs no running: tidy, format, clippy, shellcheck
	@scripts/lint.sh

fmt: ## format the Rust code
	@cargo fmt --all

fuzz: ## fuzz every target for a minute; scripts/fuzz.sh takes seconds and targets
	@scripts/fuzz.sh
