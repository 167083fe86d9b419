// SPDX-License-Identifier: GPL-2.0-only
// What user-copy.cocci must report, and what not.
static int after_unlock(struct pipe *pipe, int __user *user)
{
	int value;

	spin_lock(&pipe->lock);
	value = pipe->value;
	spin_unlock(&pipe->lock);
	return put_user(value, user);
}

static int under_spinlock(struct pipe *pipe, void __user *user)
{
	int ret = 0;

	spin_lock(&pipe->lock);
	if (copy_to_user(user, &pipe->value, sizeof(pipe->value))) /* caught */
		ret = -EFAULT;
	spin_unlock(&pipe->lock);
	return ret;
}

static int one_path_forgets(struct pipe *pipe, int __user *user)
{
	spin_lock(&pipe->lock);
	if (pipe->value)
		spin_unlock(&pipe->lock);
	return put_user(1, user); /* caught */
}

static size_t under_fault_mutex(struct pool *pool, struct iov_iter *iter)
{
	size_t ret;

	if (mutex_lock_killable(&pool->mutex))
		return 0;
	ret = copy_page_to_iter(pool->page, 0, PAGE_SIZE, iter); /* caught */
	mutex_unlock(&pool->mutex);
	return ret;
}

static size_t under_another_mutex(struct pipe *pipe, struct iov_iter *iter)
{
	size_t ret;

	mutex_lock(&pipe->read_mutex);
	ret = copy_page_to_iter(pipe->page, 0, PAGE_SIZE, iter);
	mutex_unlock(&pipe->read_mutex);
	return ret;
}

static int copy_value_locked(struct pipe *pipe, void __user *user)
{
	lockdep_assert_held(&pipe->lock);
	if (!pipe->value)
		return 0;
	return copy_to_user(user, &pipe->value, sizeof(pipe->value)); /* caught */
}
