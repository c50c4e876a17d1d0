# The devices: what users of the first FISSION know as `make servers` and so on. Included by the Makefile of the repository.
PLAY = cd ansible && ../$(VENV)/bin/ansible-playbook $(ANSIBLE_ARGS)
.PHONY: servers servers_pw start stop restart renew status logs uninstall

$(VENV)/.ansible: $(VENV)/.ready
	@$(PYTHON) -m pip install --quiet --group ansible
	@touch $@

servers: $(VENV)/.ansible ## devices: install the node service (ssh key; asks for the sudo password)
	$(PLAY) --ask-become-pass playbooks/servers.yml

servers_pw: $(VENV)/.ansible ## devices: the same, with ssh and sudo passwords (needs sshpass)
	@command -v sshpass >/dev/null || { echo "error: passwords for ssh need the program sshpass: sudo apt-get install sshpass" >&2; exit 1; }
	$(PLAY) --ask-pass --ask-become-pass playbooks/servers.yml

start stop restart: $(VENV)/.ansible ## devices: start, stop or restart the node service
	$(PLAY) --ask-become-pass -e fission_action=$(if $(filter start,$@),started,$(if $(filter stop,$@),stopped,restarted)) playbooks/service.yml

renew: $(VENV)/.ansible ## devices: install settings and unit again, and restart
	$(PLAY) --ask-become-pass playbooks/renew.yml

status logs: $(VENV)/.ansible ## devices: state or last lines of the node service
	$(PLAY) --ask-become-pass playbooks/$@.yml

uninstall: $(VENV)/.ansible ## devices: remove the node service
	$(PLAY) --ask-become-pass playbooks/uninstall.yml
